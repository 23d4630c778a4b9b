"""The class of all commands, which names the call and prints warnings, and shared options."""

from __future__ import annotations

import functools
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from suite.actions.caller import COMMAND, LengthwiseWarning
from suite.actions.request import read_numbers, split_list
from suite.api import BACKENDS, PRECISIONS, Mode
from suite.api.errors import RequestError
from suite.api.files import RESULTS
from suite.api.plugins import (
    ARCHITECTURES,
    TASKS,
    plugin_names,
    search_path_from_environment,
)
from suite.execution.session import Interrupted
from suite.records.benchmarks import DECODING_BENCHMARK, DEFAULT_BENCHMARK, benchmark_names
from suite.records.command_line import shareable_command
from suite.records.model_sizes import MODEL_SIZES
from suite.records.store import HOME_VARIABLE


class Command(click.Command):
    """A command whose actions know that the command line called them."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; the paths among its arguments stay private."""
        paths = [value for value in context.params.values() if isinstance(value, Path)]
        token = COMMAND.set(shareable_command(sys.argv[1:], paths))
        with warnings.catch_warnings():
            warnings.simplefilter("default", LengthwiseWarning)
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            try:
                return super().invoke(context)
            except Interrupted:
                print("Interrupted. The same command continues from here.", file=sys.stderr)
                raise
            finally:
                COMMAND.reset(token)


_show_other_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Print the warning of an action to standard error: standard output is for the answer."""
    if issubclass(category, LengthwiseWarning):
        print(f"bench: {message}", file=sys.stderr)
    else:
        _show_other_warning(message, category, *where)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Names(click.ParamType):
    """A comma-separated list of names, or one name; the last is completed.

    The request checks whether a name is known.
    """

    def __init__(self, known: Callable[[], Sequence[str]], *, several: bool = True) -> None:
        self.known, self.several = known, several
        self.name = "NAME,…" if several else "NAME"

    def convert(self, value: Any, parameter: Any, context: Any) -> Any:
        return split_list(str(value)) if self.several and not isinstance(value, tuple) else value

    def shell_complete(self, context: Any, parameter: Any, incomplete: str) -> list[Any]:
        given, comma, last = incomplete.rpartition(",")
        return [
            click.shell_completion.CompletionItem(f"{given}{comma}{name}")
            for name in self.known()
            if name.startswith(last)
        ]


class Numbers(click.ParamType):
    """A list of whole numbers, as `read_numbers` reads it."""

    name = "N,…"

    def convert(self, value: Any, parameter: Any, context: Any) -> tuple[int, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        return read_numbers(str(value), parameter.opts[0] if parameter else "The option")


class Option(click.Option):
    """An option whose help shows its first name; the others are aliases."""

    def get_help_record(self, context: click.Context) -> tuple[str, str] | None:
        """Return the name and the help of the option."""
        names, self.opts = self.opts, self.opts[:1]
        try:
            return super().get_help_record(context)
        finally:
            self.opts = names


def _join(context: Any, parameter: Any, lists: Sequence[tuple[Any, ...]]) -> Any:
    return tuple(value for values in lists for value in values) or None


LISTS: dict[str, Any] = {"cls": Option, "multiple": True, "callback": _join}
"""The settings of an option that takes lists, and may be repeated."""


class FiniteRange(click.FloatRange):
    """A finite number in a range; click's own range accepts nan and inf."""

    def convert(self, value: Any, parameter: Any, context: Any) -> float:
        """Return the number; fail if it is not finite."""
        number: float = super().convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", parameter, context)
        return number


SECONDS = FiniteRange(min=0, min_open=True)


def known_benchmarks() -> list[str]:
    """Return the names of all benchmarks, those of BENCH_PATH too."""
    return benchmark_names(search_path_from_environment())


ARCHITECTURE = _Names(partial(plugin_names, ARCHITECTURES), several=False)
"""The type of an argument that names an architecture."""
BENCHMARK = _Names(known_benchmarks, several=False)


def stack(*decorators: Any) -> Decorator:
    """Return decorators as one."""
    return lambda function: functools.reduce(
        lambda made, decorator: decorator(made), reversed(decorators), function
    )


home_option = click.option(
    "--home",
    "--bench-home",
    "--bench_home",
    "home",
    cls=Option,
    envvar=HOME_VARIABLE,
    metavar="DIR",
    help=f"Folder of the records. [default: {HOME_VARIABLE}, or results/local]",
)

results_option = click.option(
    "--results", type=click.Path(path_type=Path), default=RESULTS, hidden=True
)
"""The folder of the published records: tests have others."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
tfds_option = click.option(
    "--tfds-data-dir",
    envvar="TFDS_DATA_DIR",
    metavar="DIR",
    help="Folder of prepared TensorFlow Datasets. [default: TFDS_DATA_DIR, or TFDS's own]",
)


def _axis_options(tasks: str, architectures: str, lengths: str) -> Decorator:
    names = [_Names(partial(plugin_names, kind)) for kind in (TASKS, ARCHITECTURES)]
    return stack(
        click.option("--task", "tasks", **LISTS, type=names[0], help=tasks),
        click.option(
            "--architectures", "--architecture", **LISTS, type=names[1], help=architectures
        ),
        click.option("--lengths", "--length", **LISTS, type=Numbers(), help=lengths),
    )


filter_options = stack(
    _axis_options(
        "Tasks to show. [default: all]",
        "Architectures to show; ranks stay the same. [default: all]",
        "Sequence lengths to show. [default: all]",
    ),
    click.option(
        "--benchmark",
        type=BENCHMARK,
        help="Benchmark to show, as core or core-2. [default: all, and trials]",
    ),
)
"""The options that select what is shown."""

_request_options = stack(
    _axis_options(
        "Tasks to train on. [default: the benchmark's]",
        "Architectures. [default: the benchmark's, or all if it lists none]",
        "Sequence lengths, e.g. 128,512 or 128..4096, which doubles. [default: the benchmark's]",
    ),
    click.option(
        "--evaluation-lengths",
        "--evaluation_lengths",
        **LISTS,
        type=Numbers(),
        help="Lengths at which each trained model is scored too, from the training length on. "
        "[default: the benchmark's]",
    ),
    click.option(
        "--seeds",
        "--seed",
        **LISTS,
        type=Numbers(),
        help="Seeds, e.g. 0,1,2 or 0-2. [default: the benchmark's]",
    ),
    click.option(
        "--benchmark",
        type=BENCHMARK,
        help="Benchmark: tasks, lengths, seeds and steps; see `bench benchmarks`. "
        f"[default: {DEFAULT_BENCHMARK}; {DECODING_BENCHMARK} for decodings]",
    ),
    click.option(
        "--model-size",
        "--model_size",
        cls=Option,
        type=_Names(lambda: list(MODEL_SIZES), several=False),
        help="tiny, mini, small or base. [default: the benchmark's]",
    ),
    click.option(
        "--mode",
        type=click.Choice([str(mode) for mode in Mode]),
        help="train: train and score. probe: measure costs only, on random tokens. "
        "decode: measure prefill and token-by-token generation. "
        "[default: train with a task, otherwise all of the benchmark]",
    ),
    click.option(
        "--data",
        metavar="SOURCE",
        help="Data source, such as synthetic, tfds or files:DIR; see `bench list TASK`. "
        "[default: the benchmark's, or the task's]",
    ),
    click.option("--download", is_flag=True, help="Let TFDS download a missing data set."),
    tfds_option,
    click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="Option of a task, its recipe or an architecture; may be repeated.",
    ),
    click.option(
        "--method",
        "one_set",
        multiple=True,
        metavar="NAME[:OPTION=VALUE,…]",
        help="Method that each cell applies, e.g. lora:rank=8; may be repeated, in the order of "
        "the stages. See `bench list`.",
    ),
    click.option(
        "--methods",
        metavar="SET;…",
        help='Sets of methods to compare, e.g. "none;lora:rank=4;lora:rank=16 int8". '
        "[default: the benchmark's]",
    ),
    click.option(
        "--batch-size",
        type=int,
        metavar="N",
        help="Examples per batch. [default: the benchmark's]",
    ),
    click.option(
        "--steps",
        type=int,
        metavar="N",
        help="Updates of a training. [default: the benchmark's]",
    ),
    click.option(
        "--rounds",
        type=int,
        metavar="N",
        help="Repeats of a probe or decoding. [default: the benchmark's]",
    ),
    click.option(
        "--form",
        metavar="NAME",
        help="Form of a probe or decoding: encoder, decoder, encoder_decoder. "
        "[default: the benchmark's]",
    ),
    click.option(
        "--backends",
        "--backend",
        **LISTS,
        type=_Names(lambda: BACKENDS),
        help="Keras backends: tensorflow, jax, torch (jax and torch are extras to install). "
        "[default: the benchmark's]",
    ),
    click.option(
        "--precisions",
        "--precision",
        **LISTS,
        type=_Names(lambda: PRECISIONS),
        help="Precisions: float32, mixed_bfloat16; on an accelerator also tensorfloat32 and "
        "mixed_float16. "
        "[default: the benchmark's]",
    ),
    click.option("--threads", type=int, metavar="N", help="Threads per cell. [default: all cores]"),
    click.option(
        "--test",
        is_flag=True,
        help="Score the test split although the settings are not those of a frozen benchmark; the "
        "record says so. Without it such a run scores validation alone.",
    ),
    home_option,
)


def request_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a request, which the function gets as the keyword arguments of actions."""

    @functools.wraps(function)
    def call(
        *,
        options: Sequence[str],
        one_set: Sequence[str],
        methods: str | None,
        **others: Any,
    ) -> Any:
        if one_set and methods is not None:
            raise RequestError(
                "Methods are given by --method or by --methods",
                received=f"--method {one_set[0]} --methods {methods}",
            )
        sets = [" ".join(one_set)] if one_set else methods
        return function(options=parse_named_options(options), methods=sets, **others)

    return _request_options(call)


def parse_named_options(pairs: Sequence[str]) -> dict[str, str]:
    """Return the options of texts such as "window=64"; refuse other texts and repeated names."""
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or name in options:
            raise RequestError("--option takes NAME=VALUE, each name once", received=repr(pair))
        options[name] = value
    return options
