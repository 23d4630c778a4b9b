"""`bench tune`: tunes the learning rate of each architecture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from suite.analysis.tuning import tune
from suite.api import Mode
from suite.cli.options import make_single_request, make_store, request_options
from suite.cli.run_command import parallel_option, time_limit_option
from suite.cli.sessions import open_command_session
from suite.execution.preparation import make_limits
from suite.execution.session import local_executor
from suite.matrix.tuned_rates import TUNING
from suite.runs import run_with_display


@click.command("tune")
@request_options
@click.option(
    "--keep-in",
    type=click.Path(file_okay=False, path_type=Path),
    default=TUNING,
    metavar="DIR",
    help="Folder for the tuned rates. Runs use those in the default folder. "
    "[default: results/tuning]",
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
    """Tune the learning rate of each architecture on validation.

    All architectures start with the same three rates and take the same number of steps, at each
    length that they support. If the smallest or the largest rate is the best, the next rate beyond
    it is tried, until the best rate lies between two others. Use at least two seeds: a rate can
    learn with one seed and fail with another.

    The rates and the evidence go to results/tuning/TASK/ARCHITECTURE. A later run uses a rate only
    for the same data, length, model size, steps, batch size and options.

    \b
    Examples:
      bench tune --task ner --data tfds --benchmark core --seeds 0,1
    """
    request = make_single_request(given, Mode.TRAIN)
    limits = make_limits(request.benchmark, time_limit)
    store = make_store(home)
    store.prepare()
    with open_command_session(store, executor=local_executor(parallel)) as session:
        tuned = tune(
            request,
            store,
            lambda prepared: run_with_display(session, prepared, sys.stdout),
            limits=limits,
            folder=keep_in,
            on_rate=lambda rate, length: print(f"learning rate {rate:g} at length {length:,}"),
        )
    for item in tuned:
        print(item)
    sys.exit(0 if all(item.learning_rate is not None for item in tuned) else 1)
