"""`bench tune`: tries learning rates and keeps the best of each architecture."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from suite.analysis.tuning import FOLDER, choose, first_rates, next_rate, write
from suite.api import Metric, Mode
from suite.api.errors import RequestError
from suite.api.plugins import search_path_from_environment
from suite.cli.options import make_single_request, make_store, request_options
from suite.cli.planning import make_limits, prepare, refuse_if_nothing_can_run
from suite.cli.run_command import (
    invoke,
    local_executor,
    parallel_option,
    run_on,
    time_limit_option,
)
from suite.matrix.expansion import shortest_supported
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.schema import Record

Tried = dict[str, dict[float, list[Record]]]
"""By architecture and learning rate, a record for each seed."""


@click.command("tune")
@request_options
@click.option(
    "--keep-in",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    metavar="DIR",
    help="Where choices are written. Runs use those in [default: results/tuning]",
)
@time_limit_option
@parallel_option
def command(
    home: str | None,
    keep_in: Path,
    time_limit: float | None,
    parallel: int | None,
    **given: Any,
) -> None:
    """Choose each architecture's learning rate on validation, and keep the evidence.

    Every architecture is tried with the same three rates under the same budget, at the shortest of
    the lengths that it supports; one that does best with the smallest or largest of them tries the
    next beyond it, until its best lies between others. The choices go to
    results/tuning/TASK/ARCHITECTURE.json, and later runs use them. Take two seeds at least: a rate
    can do well with one and not learn at all with the next.

    \b
    Examples:
      bench tune --task ner --data tfds --preset standard --seeds 0,1
    """
    request = make_single_request(given)
    if request.mode is not Mode.TRAIN or not request.tasks or len(request.tasks) != 1:
        raise RequestError("Tuning is of one task", remedy="Name it: --task ner")
    if "learning_rate" in request.options:
        raise RequestError("Tuning chooses the learning rate itself", remedy="Leave it out")
    store = make_store(home)
    store.prepare()
    task = load_registry(search_path_from_environment()).tasks.get(request.tasks[0])
    limits = make_limits(request.preset, time_limit)
    prepared = prepare(request, store)
    refuse_if_nothing_can_run(prepared)
    length_of = shortest_supported(prepared.plan.cells)
    wanted = dict.fromkeys(first_rates(task.recipe.learning_rate), tuple(length_of))
    tried: Tried = {}
    with local_executor(parallel) as executor, invoke(store) as invoked:
        while wanted:
            for rate, length, names in _together(wanted, length_of):
                asked = _at_rate(replace(request, lengths=(length,)), rate, names)
                prepared = prepare(asked, store, limits=limits)
                print(f"learning rate {rate:g} at length {length:,}", flush=True)
                records, interrupted = run_on(executor, prepared, invoked)
                if interrupted:
                    print("Interrupted. The same command tries what is missing.")
                    sys.exit(130)
                for record in records:
                    of_architecture = tried.setdefault(record.cell.architecture, {})
                    of_architecture.setdefault(rate, []).append(record)
            wanted = _wanted_next(tried, task.primary_metric)
    sys.exit(0 if _keep(task.primary_metric, tried, keep_in) else 1)


def _together(
    wanted: Mapping[float, Sequence[str]], length_of: Mapping[str, int]
) -> Iterator[tuple[float, int, tuple[str, ...]]]:
    """Yield what is to be tried, the architectures of one rate and length together."""
    for rate, names in sorted(wanted.items()):
        for length in sorted({length_of[name] for name in names}):
            yield rate, length, tuple(name for name in names if length_of[name] == length)


def _at_rate(request: Request, rate: float, architectures: tuple[str, ...]) -> Request:
    options = {**request.options, "learning_rate": str(rate)}
    return replace(request, options=options, architectures=architectures)


def _wanted_next(tried: Tried, metric: Metric) -> dict[float, tuple[str, ...]]:
    """Return the rates beyond those tried, and which architectures want them."""
    wanted: dict[float, tuple[str, ...]] = {}
    for name, runs in tried.items():
        if beyond := next_rate(runs, metric):
            wanted[beyond] = (*wanted.get(beyond, ()), name)
    return wanted


def _keep(metric: Metric, tried: Tried, folder: Path) -> bool:
    """Choose, write and print; return whether every architecture has a rate."""
    complete = True
    for name, runs in sorted(tried.items()):
        chosen = choose(runs, metric)
        if chosen is None:
            print(f"{name:16} no rate came through with every seed")
            complete = False
            continue
        rate, trials = chosen
        path = write(runs[rate][0].cell, rate, trials, metric, folder)
        figures = ", ".join(
            f"{trial.learning_rate:g}: "
            + ("—" if trial.validation is None else f"{trial.validation:.4f}")
            for trial in trials
        )
        print(f"{name:16} {rate:g}   validation {metric.name} at {figures}   {path}")
    return complete
