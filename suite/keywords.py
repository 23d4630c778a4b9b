"""The keyword arguments of the Python API, which are the options of the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from suite.api import Mode, RequestError
from suite.api.errors import unknown_name
from suite.matrix.request import Request, split_methods
from suite.records.benchmarks import DECODING_BENCHMARK, DEFAULT_BENCHMARK
from suite.records.command_line import HIDDEN, without_path
from suite.records.environment import num_cores
from suite.records.store import DEFAULT_HOME, HOME_VARIABLE, Store

DATA_DIR_VARIABLE = "TFDS_DATA_DIR"
SINGULAR = {
    "task": "tasks",
    "architecture": "architectures",
    "length": "lengths",
    "evaluation_length": "evaluation_lengths",
    "seed": "seeds",
    "backend": "backends",
    "precision": "precisions",
}
"""Each axis may be named in the singular too."""
Values = TypeVar("Values", bound=tuple[Any, ...])
NAMES = ("tasks", "architectures", "backends", "precisions")
NUMBERS = ("lengths", "evaluation_lengths", "seeds")
OTHERS = (
    *("benchmark", "mode", "model_size", "data", "download", "tfds_data_dir", "options"),
    *("batch_size", "steps", "rounds", "form", "threads", "test", "methods"),
)


def make_request(keywords: Mapping[str, Any]) -> Request:
    """Return the request of keyword arguments; None selects a default.

    Raises:
        RequestError: a keyword is unknown or given twice, or a value has the wrong type.
    """
    given: dict[str, Any] = {}
    for keyword, value in keywords.items():
        name = SINGULAR.get(keyword, keyword)
        if name not in (*NAMES, *NUMBERS, *OTHERS):
            raise unknown_name("keyword argument", keyword, [*NAMES, *NUMBERS, *OTHERS])
        if name in given and value is not None:
            raise RequestError("An axis is named once", received=f"{keyword} and {name}")
        if value is not None:
            given[name] = value
    for name in NAMES:
        if name in given:
            given[name] = names_of(name, given[name])
    for name in NUMBERS:
        if name in given:
            given[name] = _numbers(name, given[name])
    mode = _mode(given)
    default = DECODING_BENCHMARK if mode is Mode.DECODE else DEFAULT_BENCHMARK
    return Request(
        mode=mode,
        benchmark=given.get("benchmark", default),
        tasks=given.get("tasks"),
        architectures=given.get("architectures"),
        lengths=given.get("lengths"),
        evaluation_lengths=given.get("evaluation_lengths"),
        seeds=given.get("seeds"),
        rounds=given.get("rounds"),
        model_size=given.get("model_size"),
        batch_size=given.get("batch_size"),
        steps=given.get("steps"),
        source=given.get("data"),
        data_dir=_path(given.get("tfds_data_dir") or os.environ.get(DATA_DIR_VARIABLE)),
        download=given.get("download", False),
        options=_options(given.get("options", {})),
        form=given.get("form"),
        backends=given.get("backends"),
        precisions=given.get("precisions"),
        threads=given["threads"] if "threads" in given else num_cores(),
        score_test=given.get("test", False),
        methods=_methods(given["methods"]) if "methods" in given else None,
    )


def _mode(given: Mapping[str, Any]) -> Mode | None:
    """Return the mode of a request; None for the whole of a benchmark.

    Raises:
        RequestError: the mode is unknown, or nothing says what to run.
    """
    if "mode" in given:
        mode = str(given["mode"])
        if mode not in list(Mode):
            raise unknown_name("mode", mode, list(Mode))
        return Mode(mode)
    if "tasks" in given:
        return Mode.TRAIN
    if "benchmark" in given:
        return None
    raise RequestError(
        "The request names no task and no benchmark",
        remedy="Name one: --task ner, --benchmark core, or --mode probe",
    )


def make_single_request(keywords: Mapping[str, Any], mode: Mode) -> Request:
    """Return the request of a search, which works on one backend and in one precision.

    `mode` is the mode of a request that names neither a mode nor a task.

    Raises:
        RequestError: several are named.
    """
    if keywords.get("mode") is None and not (keywords.get("tasks") or keywords.get("task")):
        keywords = {**keywords, "mode": str(mode)}
    request = make_request(keywords)
    for option, names in (("--backend", request.backends), ("--precision", request.precisions)):
        if names and len(names) > 1:
            raise RequestError(
                f"This command takes one {option}",
                received=",".join(names),
                remedy="Give it once for each; `bench run` takes several",
            )
    return request


def make_store(home: str | os.PathLike[str] | None = None) -> Store:
    """Return the store of a home: by default BENCH_HOME, or local in `suite.api.files.RESULTS`."""
    chosen = home or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME
    return Store(Path(chosen).expanduser().resolve())


def describe_call(function: str, keywords: Mapping[str, Any]) -> str:
    """Return a call as the records name it: the paths in its arguments stay private."""
    private = {"home", "tfds_data_dir"}
    parts = [
        f"{name}={HIDDEN if name in private else _shown(value)}"
        for name, value in keywords.items()
        if value is not None
    ]
    return f"suite.{function}({', '.join(parts)})"


def _shown(value: Any) -> str:
    """Return an argument as code, without the paths in it."""
    if isinstance(value, Path):
        return HIDDEN
    if isinstance(value, str):
        return repr(without_path(value))
    if isinstance(value, list | tuple):
        shown = ", ".join(map(_shown, value))
        comma = "," if len(value) == 1 else ""
        return f"[{shown}]" if isinstance(value, list) else f"({shown}{comma})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {_shown(one)}' for name, one in value.items())}}}"
    return repr(value)


def split_list(text: str) -> tuple[str, ...]:
    """Split a list at its commas.

    Raises:
        RequestError: a part is empty.
    """
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise RequestError("A list has a value between any two commas", received=repr(text))
    return parts


def names_of(axis: str, value: Any) -> tuple[str, ...]:
    """Return the names of an axis: of a text such as "vanilla,bert", or of a list.

    Raises:
        RequestError: the value is neither, or names nothing.
    """
    if isinstance(value, str):
        return split_list(value)
    if isinstance(value, Sequence) and all(isinstance(name, str) for name in value):
        return _not_empty(axis, tuple(value))
    raise RequestError(f"`{axis}` takes a name or a list of names", received=repr(value))


def _numbers(axis: str, value: Any) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else value
    if isinstance(values, Sequence | range) and not isinstance(values, str):
        numbers = tuple(values)
        if all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
            return _not_empty(axis, numbers)
    raise RequestError(f"`{axis}` takes a whole number or a list of them", received=repr(value))


def _not_empty(axis: str, values: Values) -> Values:
    """Return the values of an axis: no value means none of them, not all."""
    if not values:
        raise RequestError(
            f"`{axis}` names at least one value",
            received="an empty list",
            remedy="Omit it for those of the benchmark",
        )
    return values


def _methods(sets: Any) -> tuple[tuple[str, ...], ...]:
    """Return sets of methods: of "none;lora:rank=8 int8", or of a list of such sets."""
    texts = sets.split(";") if isinstance(sets, str) else sets
    if isinstance(texts, Sequence) and all(isinstance(text, str) for text in texts):
        return _not_empty("methods", tuple(split_methods(text) for text in texts))
    raise RequestError('`methods` takes "none;lora:rank=8 int8", or a list', received=repr(sets))


def _options(options: Any) -> dict[str, str]:
    """Return options as text, which the type of their default then reads."""
    if not isinstance(options, Mapping):
        raise RequestError("`options` takes a mapping from name to value", received=repr(options))
    return {
        str(name): value if isinstance(value, str) else json.dumps(value)
        for name, value in options.items()
    }


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)
