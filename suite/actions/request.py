"""The keyword arguments of the actions, which are the options of the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from suite.actions.caller import warn
from suite.analysis.bisection import doubled
from suite.api import Mode, RequestError
from suite.api.errors import HomeError, check_name, unknown_name
from suite.matrix.request import Request, split_methods
from suite.records.benchmarks import DECODING_BENCHMARK, DEFAULT_BENCHMARK
from suite.records.environment import num_cores
from suite.records.options import as_text as texts_of
from suite.records.store import DEFAULT_HOME, HOME_VARIABLE, Store

DATA_DIR_VARIABLE = "TFDS_DATA_DIR"
PathLike = str | os.PathLike[str]
Names = str | Sequence[str]
Numbers = int | str | Sequence[int]
Values = TypeVar("Values", bound=tuple[Any, ...])


class RequestKeywords(TypedDict, total=False):
    """The keyword arguments that define a matrix. The benchmark sets those that are not given.

    `tasks`, `architectures`, `backends` and `precisions` take a name or a list of names. `lengths`,
    `evaluation_lengths` and `seeds` take a whole number, a list of them, or a text such as "0-3" or
    "128..4096". Each of these names may be in the singular.
    `mode` is "train" (learn and score), "probe" (measure costs on random tokens) or "decode"
    (measure token-by-token generation). `data` is a source such as "synthetic", "tfds" or
    "files:FOLDER". `options` maps names of options to values. `steps` is the number of updates.
    `test` scores the test split outside a frozen benchmark too. `methods` are sets of methods to
    compare: "none;lora:rank=4", or a list of such sets.
    `home` is the folder of the records: by default BENCH_HOME, or results/local.
    """

    task: Names | None
    tasks: Names | None
    architecture: Names | None
    architectures: Names | None
    length: Numbers | None
    lengths: Numbers | None
    evaluation_length: Numbers | None
    evaluation_lengths: Numbers | None
    seed: Numbers | None
    seeds: Numbers | None
    benchmark: str | None
    mode: str | None
    model_size: str | None
    data: str | None
    download: bool
    tfds_data_dir: PathLike | None
    options: Mapping[str, Any] | None
    batch_size: int | None
    steps: int | None
    test: bool
    rounds: int | None
    form: str | None
    backend: Names | None
    backends: Names | None
    precision: Names | None
    precisions: Names | None
    threads: int | None
    methods: Names | None
    home: PathLike | None


class RunKeywords(RequestKeywords, total=False):
    """The keyword arguments of a run: those of a matrix, and how its cells run.

    `retry` holds statuses whose cells run again, or "noisy". `rerun` runs all cells again, or, if
    it is "changed", the trainings whose code has changed.
    `time_limit` (seconds) and `memory_limit` ("8GiB") limit each cell. `stop_after` ("150m") starts
    no cell that is expected to end after that time. `wait_quiet` ("10m") waits at most that long
    for other programs to stop before the first cell starts. `parallel` is the number of cells that
    run at once.
    `executor` is "local", "ray" or "slurm"; `address` and `gpus` hold for clusters.
    `tracking=False` writes nothing to MLflow. `keep_weights` keeps the weights of every trained
    model for `load_model`; a done cell whose weights are missing runs again.
    """

    retry: Names | None
    rerun: bool | Literal["changed"]
    time_limit: float | None
    memory_limit: str | None
    stop_after: str | None
    wait_quiet: str | None
    parallel: int | None
    executor: str
    address: str | None
    gpus: float
    tracking: bool
    keep_weights: bool


NAMES = ("tasks", "architectures", "backends", "precisions")
NUMBERS = ("lengths", "evaluation_lengths", "seeds")
RANGE = re.compile(r"(?P<first>-?\d+)(?:(?P<kind>-|\.\.)(?P<last>\d+))?")
"""A whole number, or a range of them."""
MOST_IN_A_RANGE = 1_000
"""A longer range is a typing mistake."""
SINGULAR = {axis.removesuffix("s"): axis for axis in (*NAMES, *NUMBERS)}
"""Each axis may be named in the singular too."""
FIELDS = {"data": "source", "tfds_data_dir": "data_dir", "test": "score_test"}
"""The fields of a request that have another name than their keyword."""
KEYWORDS = [name for name in RequestKeywords.__annotations__ if name not in {*SINGULAR, "home"}]


def read_request(
    keywords: Mapping[str, Any], *, search_mode: Mode | None = None
) -> tuple[Request, Store]:
    """Return the request of keyword arguments and the store of their home.

    `search_mode` is the mode of a search if the keywords name neither a mode nor a task.

    Raises:
        RequestError: a keyword is invalid, or a search names several backends or precisions.
    """
    of_matrix = {name: value for name, value in keywords.items() if name != "home"}
    store = make_store(keywords.get("home"))
    if search_mode is None:
        return make_request(of_matrix), store
    if not any(of_matrix.get(name) for name in ("mode", "tasks", "task")):
        of_matrix["mode"] = str(search_mode)
    request = make_request(of_matrix)
    for option, names in (("--backend", request.backends), ("--precision", request.precisions)):
        if names and len(names) > 1:
            raise RequestError(
                f"This command takes one {option}",
                received=",".join(names),
                remedy="Give it once for each; `bench run` takes several",
            )
    return request, store


def make_request(keywords: Mapping[str, Any]) -> Request:
    """Return the request of keyword arguments; None selects a default.

    Raises:
        RequestError: a keyword is unknown or given twice, or a value has the wrong type.
    """
    given: dict[str, Any] = {}
    for keyword, value in keywords.items():
        name = SINGULAR.get(keyword, keyword)
        if name not in KEYWORDS:
            raise unknown_name("keyword argument", keyword, KEYWORDS)
        if name in given and value is not None:
            raise RequestError("An axis is named once", received=f"{keyword} and {name}")
        if value is not None:
            given[name] = value
    mode = _mode(given)
    readers: dict[str, Callable[[str, Any], Any]] = {
        **dict.fromkeys(NAMES, names_of),
        **dict.fromkeys(NUMBERS, numbers_of),
        "methods": _methods,
        "options": _options,
    }
    defaults: dict[str, Any] = {
        "benchmark": DECODING_BENCHMARK if mode is Mode.DECODE else DEFAULT_BENCHMARK,
        "tfds_data_dir": os.environ.get(DATA_DIR_VARIABLE),
        "threads": num_cores(),
    }
    values: dict[str, Any] = {
        name: readers[name](name, value) if name in readers else value
        for name, value in {**defaults, **given}.items()
    }
    values["tfds_data_dir"] = as_text(values["tfds_data_dir"])
    fields = {FIELDS.get(name, name): value for name, value in values.items()}
    return Request(**{**fields, "mode": mode})


def _mode(given: Mapping[str, Any]) -> Mode | None:
    """Return the mode of a request; None for the whole of a benchmark."""
    if "mode" in given:
        mode = str(given["mode"])
        check_name("mode", mode, list(Mode))
        return Mode(mode)
    if "tasks" in given:
        return Mode.TRAIN
    if "benchmark" in given:
        return None
    raise RequestError(
        "The request names no task and no benchmark",
        remedy="Name one: --task ner, --benchmark core, or --mode probe",
    )


def make_store(home: PathLike | None = None) -> Store:
    """Return the store of a home: by default BENCH_HOME, or local in `suite.api.files.RESULTS`.

    It warns the caller, as of files that are not readable records.
    """
    chosen = home or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME
    return Store(Path(chosen).expanduser().resolve(), warn)


def make_existing_store(home: PathLike | None) -> Store:
    """Return the store of a home.

    Raises:
        HomeError: the home does not exist.
    """
    store = make_store(home)
    if not store.home.is_dir():
        raise HomeError(
            "This home does not exist",
            received=store.home,
            remedy="Correct --home or BENCH_HOME, or run `bench run` first",
        )
    return store


def split_list(text: str) -> tuple[str, ...]:
    """Split a list at its commas.

    Raises:
        RequestError: a part is empty.
    """
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise RequestError("A list has a value between any two commas", received=repr(text))
    return parts


def read_numbers(text: str, axis: str) -> tuple[int, ...]:
    """Return the whole numbers of a list such as "0,2", "0-3" (0 to 3) or "128..4096" (doubling).

    Raises:
        RequestError: a part is no number and no range.
    """
    return tuple(number for part in split_list(text) for number in _range_of(part, axis))


def _range_of(part: str, axis: str) -> Iterable[int]:
    found = RANGE.fullmatch(part)
    if not found:
        raise RequestError(
            f"{axis} takes whole numbers and ranges, separated by commas",
            received=repr(part),
            remedy="Write 0,1,2, or 0-2, or 128..1024 for 128,256,512,1024",
        )
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if not found["kind"]:
        return (first,)
    doubles = found["kind"] == ".."
    count = last // max(1, first) if doubles else last - first + 1
    if count < 1 or (doubles and (first < 1 or count & (count - 1) or first * count != last)):
        raise RequestError(
            f"A range of {axis} ascends" + (", and doubles from its start to its end" * doubles),
            received=repr(part),
        )
    if doubles:
        return doubled(first, last)
    if count > MOST_IN_A_RANGE:
        raise RequestError(
            f"A range of {axis} has at most {MOST_IN_A_RANGE:,} numbers", received=repr(part)
        )
    return range(first, last + 1)


def names_of(axis: str, value: Any) -> tuple[str, ...]:
    """Return the names of a text such as "vanilla,bert", or of a list.

    Raises:
        RequestError: the value is another one, or has no name or an empty one.
    """
    if isinstance(value, str):
        return split_list(value)
    if isinstance(value, Sequence) and all(isinstance(name, str) for name in value):
        return not_empty(axis, tuple(value))
    raise RequestError(f"`{axis}` takes a name or a list of names", received=repr(value))


def numbers_of(axis: str, value: Any) -> tuple[int, ...]:
    """Return the numbers of one, of a text such as "0-3", or of a list.

    Raises:
        RequestError: the value is another one, or has no number.
    """
    values = (value,) if isinstance(value, int) else value
    if isinstance(values, str):
        return read_numbers(values, f"`{axis}`")
    if isinstance(values, Sequence | range):
        numbers = tuple(values)
        if all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
            return not_empty(axis, numbers)
    raise RequestError(f"`{axis}` takes a whole number or a list of them", received=repr(value))


def _methods(axis: str, sets: Any) -> tuple[tuple[str, ...], ...]:
    texts = sets.split(";") if isinstance(sets, str) else sets
    if isinstance(texts, Sequence) and all(isinstance(text, str) for text in texts):
        return not_empty(axis, tuple(split_methods(text) for text in texts))
    raise RequestError(f'`{axis}` takes "none;lora:rank=8 int8", or a list', received=repr(sets))


def not_empty(axis: str, values: Values) -> Values:
    """Return the values of an axis: no value means none of them, not all.

    Raises:
        RequestError: there is no value.
    """
    if not values:
        raise RequestError(
            f"`{axis}` names at least one value",
            received="an empty list",
            remedy="Omit it for the default",
        )
    return values


def _options(keyword: str, options: Any) -> dict[str, str]:
    if not isinstance(options, Mapping):
        raise RequestError(
            f"`{keyword}` takes a mapping from name to value", received=repr(options)
        )
    return texts_of({str(name): value for name, value in options.items()})


def as_text(path: PathLike | None) -> str | None:
    """Return a path as text."""
    return None if path is None else os.fspath(path)
