"""`bench tune`: tries a short list of learning rates and keeps the best of each architecture."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from suite.cli.options import make_request, make_store, request_options
from suite.cli.planning import prepare, refuse_if_nothing_can_run
from suite.cli.run_command import local_executor, make_limits, run_on
from suite.contracts import Metric, Mode, Status
from suite.errors import RequestError
from suite.matrix import Request
from suite.presets import find_preset
from suite.record import Record
from suite.registry import load_registry, search_path_from_environment
from suite.store import Store
from suite.tuning import FOLDER, LEARNING_RATES, choose, write


@click.command("tune")
@request_options
@click.option(
    "--keep-in",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    metavar="DIR",
    help="Where choices are written. Runs use those in [default: results/tuning]",
)
def command(home: str | None, keep_in: Path, **given: Any) -> None:
    """Choose each architecture's learning rate on validation, and keep the evidence.

    Every architecture is tried with the same rates at the first of the lengths, under the same
    budget. The choices go to results/tuning/TASK/ARCHITECTURE.json, and later runs use them. Take
    two seeds at least: a rate can do well with one and not learn at all with the next.

    \b
    Examples:
      bench tune --task ner --data tfds --preset standard --seeds 0,1
    """
    request = make_request(given)
    if request.mode is not Mode.TRAIN or not request.tasks or len(request.tasks) != 1:
        raise RequestError("Tuning is of one task", remedy="Name it: --task ner")
    if "learning_rate" in request.options:
        raise RequestError("Tuning chooses the learning rate itself", remedy="Leave it out")
    store = make_store(home)
    store.prepare()
    task = load_registry(search_path_from_environment()).tasks.get(request.tasks[0])
    rates = sorted({*LEARNING_RATES, task.recipe.learning_rate})
    records, interrupted = _try_all(request, store, rates)
    if interrupted:
        print("Interrupted. The same command tries what is missing.")
        sys.exit(130)
    sys.exit(0 if _keep(task.primary_metric, records, keep_in) else 1)


def _try_all(
    request: Request, store: Store, rates: Collection[float]
) -> tuple[dict[float, list[Record]], bool]:
    """Run every rate at one length; return the records by rate, and whether Ctrl-C ended it."""
    limits = make_limits(find_preset(request.preset).time_limit_seconds, None)
    found: dict[float, list[Record]] = {}
    first = prepare(request, store).plan.cells[0].cell.sequence_length
    for rate in rates:
        options = {**request.options, "learning_rate": str(rate)}
        prepared = prepare(replace(request, options=options, lengths=(first,)), store)
        refuse_if_nothing_can_run(prepared)
        print(f"learning rate {rate:g}", flush=True)
        with local_executor() as executor:
            records, interrupted = run_on(executor, prepared, store, limits, tracking=False)
        found[rate] = [record for record in records if record.status is not Status.UNSUPPORTED]
        if interrupted:
            return found, True
    return found, False


def _keep(metric: Metric, records: dict[float, list[Record]], folder: Path) -> bool:
    """Choose, write and print; return whether every architecture has a rate."""
    names = sorted({record.cell.architecture for runs in records.values() for record in runs})
    complete = True
    for name in names:
        own = {
            rate: [record for record in runs if record.cell.architecture == name]
            for rate, runs in records.items()
        }
        chosen = choose(own, metric)
        if chosen is None:
            print(f"{name:16} no rate came through with every seed")
            complete = False
            continue
        rate, trials = chosen
        path = write(own[rate][0].cell, rate, trials, metric, folder)
        figures = ", ".join(
            f"{trial.learning_rate:g}: "
            + ("—" if trial.validation is None else f"{trial.validation:.4f}")
            for trial in trials
        )
        print(f"{name:16} {rate:g}   validation {metric.name} at {figures}   {path}")
        if rate in (min(own), max(own)):
            side = "smallest" if rate == min(own) else "largest"
            print(f"{'':16} the {side} tried: another beyond it may be better still")
    return complete
