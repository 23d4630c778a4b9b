"""Options that several commands share: what makes a request, and where records are."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from suite.api import BACKENDS, PRECISIONS, Mode
from suite.api.errors import RequestError
from suite.api.plugins import ARCHITECTURES, TASKS, Kind, plugin_names, search_path_from_environment
from suite.matrix.presets import DEFAULT_PRESET, MODEL_SIZES, PRESETS
from suite.matrix.request import Request
from suite.records.environment import num_cores
from suite.records.store import DEFAULT_HOME, HOME_VARIABLE, Store

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Names(click.ParamType):
    """A comma list of names; completes the last one."""

    name = "NAME,…"

    def __init__(self, known: Callable[[], Sequence[str]]) -> None:
        self.known = known

    def convert(self, value: Any, parameter: Any, context: Any) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else split_list(str(value))

    def shell_complete(self, context: Any, parameter: Any, incomplete: str) -> list[Any]:
        given, comma, last = incomplete.rpartition(",")
        return [
            click.shell_completion.CompletionItem(f"{given}{comma}{name}")
            for name in self.known()
            if name.startswith(last)
        ]


class _Numbers(click.ParamType):
    """A comma list of whole numbers."""

    name = "N,…"

    def convert(self, value: Any, parameter: Any, context: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in split_list(str(value)))
        except ValueError:
            option = parameter.opts[0] if parameter else "The option"
            raise RequestError(
                f"{option} takes whole numbers with commas between them", received=repr(value)
            ) from None


class FiniteRange(click.FloatRange):
    """A number from `min` on that is one: click's own range lets nan and inf pass."""

    def convert(self, value: Any, parameter: Any, context: Any) -> float:
        """Return the number, or refuse it."""
        number: float = super().convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", parameter, context)
        return number


SECONDS = FiniteRange(min=0, min_open=True)


class _OneName(click.ParamType):
    """A name that completes; whether it is known is checked with the request."""

    name = "NAME"

    def __init__(self, known: Callable[[], Sequence[str]]) -> None:
        self.known = known

    def shell_complete(self, context: Any, parameter: Any, incomplete: str) -> list[Any]:
        return [
            click.shell_completion.CompletionItem(name)
            for name in self.known()
            if name.startswith(incomplete)
        ]


def split_list(text: str) -> tuple[str, ...]:
    """Split at commas.

    Raises:
        RequestError: nothing stands between two of them.
    """
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise RequestError("A list has a value between any two commas", received=repr(text))
    return parts


def _names_of(kind: Kind[Any]) -> Callable[[], Sequence[str]]:
    return lambda: plugin_names(kind, search_path_from_environment())


def _stack(*decorators: Any) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


home_option = _stack(
    click.option(
        "--home",
        "--bench-home",
        "--bench_home",
        "home",
        envvar=HOME_VARIABLE,
        metavar="DIR",
        help=f"Where records are kept. [default: results/local in the checkout; {HOME_VARIABLE}]",
    )
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

request_options = _stack(
    click.option(
        "--task", "tasks", type=_Names(_names_of(TASKS)), help="What to learn (mode train)."
    ),
    click.option(
        "--architectures",
        "--architecture",
        type=_Names(_names_of(ARCHITECTURES)),
        help="Which architectures. [default: all]",
    ),
    click.option(
        "--lengths",
        "--length",
        type=_Numbers(),
        help="Sequence lengths. [default: the task's, or the preset's]",
    ),
    click.option("--seeds", "--seed", type=_Numbers(), help="Seeds. [default: the preset's]"),
    click.option(
        "--preset",
        default=DEFAULT_PRESET,
        show_default=True,
        type=_OneName(lambda: list(PRESETS)),
        help="The grid and the budget; see `bench list`.",
    ),
    click.option(
        "--model-size",
        "--model_size",
        type=_OneName(lambda: list(MODEL_SIZES)),
        help="tiny, mini, small or base. [default: the preset's]",
    ),
    click.option(
        "--mode",
        default=str(Mode.TRAIN),
        show_default=True,
        type=click.Choice([str(mode) for mode in Mode]),
        help="train: learn and score. probe: measure only, on random tokens.",
    ),
    click.option(
        "--data",
        metavar="SOURCE",
        help="synthetic, tfds, files:DIR; see `bench list`. [default: the task's]",
    ),
    click.option("--download", is_flag=True, help="Let TFDS download a data set that is missing."),
    click.option(
        "--tfds-data-dir",
        envvar="TFDS_DATA_DIR",
        metavar="DIR",
        help="Prepared TensorFlow Datasets. [default: TFDS_DATA_DIR, or TFDS's own folder]",
    ),
    click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="Override an option of a task, its recipe or an architecture; may be repeated.",
    ),
    click.option(
        "--batch-size", type=int, help="Examples a batch. [default: the preset's tokens / length]"
    ),
    click.option(
        "--budget",
        type=int,
        metavar="N",
        help="Training tokens (examples for images) of a cell. [default: the preset's]",
    ),
    click.option("--rounds", type=int, help="How often a probe is measured. [default: preset's]"),
    click.option(
        "--form", help="What a probe builds: encoder, decoder, encoder_decoder. [default: encoder]"
    ),
    click.option(
        "--backends",
        "--backend",
        default=BACKENDS[0],
        show_default=True,
        type=_Names(lambda: BACKENDS),
        help="Keras's backends: tensorflow, jax, torch (the latter two are extras to install).",
    ),
    click.option(
        "--precisions",
        "--precision",
        default=PRECISIONS[0],
        show_default=True,
        type=_Names(lambda: PRECISIONS),
        help="float32, mixed_bfloat16; on an accelerator mixed_float16.",
    ),
    click.option("--threads", type=int, help="Threads a cell uses. [default: all cores]"),
    home_option,
)


def make_request(given: dict[str, Any]) -> Request:
    """Build the request from the values of `request_options`."""
    return Request(
        mode=Mode(given["mode"]),
        preset=given["preset"],
        tasks=given["tasks"],
        architectures=given["architectures"],
        lengths=given["lengths"],
        seeds=given["seeds"],
        rounds=given["rounds"],
        model_size=given["model_size"],
        batch_size=given["batch_size"],
        budget=given["budget"],
        source=given["data"],
        data_dir=given["tfds_data_dir"],
        download=given["download"],
        options=_parse_options(given["options"]),
        form=given["form"],
        backends=given["backends"],
        precisions=given["precisions"],
        threads=given["threads"] if given["threads"] is not None else num_cores(),
    )


def make_single_request(given: dict[str, Any]) -> Request:
    """Build the request of a command that works on one backend and in one precision.

    Raises:
        RequestError: several are named.
    """
    request = make_request(given)
    for option, names in (("--backend", request.backends), ("--precision", request.precisions)):
        if len(names) > 1:
            raise RequestError(
                f"This command takes one {option}",
                received=",".join(names),
                remedy="Give it once for each; `bench run` takes several",
            )
    return request


def make_store(home: str | None) -> Store:
    """Return the store of a home."""
    return Store(Path(home or os.fspath(DEFAULT_HOME)).expanduser().resolve())


def _parse_options(pairs: Sequence[str]) -> dict[str, str]:
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or name in options:
            raise RequestError("--option takes NAME=VALUE, each name once", received=repr(pair))
        options[name] = value
    return options
