"""`bench tune`: tunes the learning rate of each entry."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import click

from suite.actions.searches import tune
from suite.cli.command import Command, FiniteRange, request_options
from suite.cli.run_command import parallel_option, stop_after_option, time_limit_option
from suite.matrix.plan import CHANGED
from suite.records.tuned_rates import TUNING

REFUSED = ("mode", "rounds", "form", "test")
"""Options of a request that tuning refuses; the help leaves them out."""
SEEDS = (
    "Seeds of the long trials, at least two. [default: those of the benchmark's [tuning], or 0,1]"
)


@click.command("tune", cls=Command)
@request_options
@click.option(
    "--keep-in",
    type=click.Path(file_okay=False, path_type=Path),
    default=TUNING,
    metavar="DIR",
    help="Folder for the tuned rates. Runs use those in the default folder. "
    "[default: results/tuning]",
)
@click.option(
    "--max-cost",
    type=FiniteRange(min=0, min_open=True),
    metavar="RUNS",
    help="The most that the search of an entry at a length costs, in final runs. A higher value "
    "continues searches whose best rate lay at an edge. [default: 2.5; with full trials, those of "
    "the first plan and 4 more]",
)
@click.option("--retry", metavar="STATUS,…", help="Run trials with these statuses again.")
@click.option(
    "--rerun",
    type=click.Choice([CHANGED]),
    help="Run trials again whose code has changed since.",
)
@time_limit_option
@stop_after_option("trial")
@parallel_option
def command(rerun: Literal["changed"] | None, **given: Any) -> None:
    """Tune the learning rate of each entry on validation, at each length.

    The search is the same for every entry: successive halving over the learning rates of the
    benchmark's section [tuning].

    \b
    1. Short trials: all rates on the first seed, for a tenth of the steps.
    2. Long trials: the best rate and its two neighbours, for a fifth of the steps.
    3. The same three rates on the other seeds. The highest mean score wins.

    A benchmark whose [tuning] has full_trials trains with all steps: all rates on the first seed,
    then the best two on the other seeds.

    The schedule of each trial is that of a final run, scaled to its steps. While the best rate lies
    at an edge, the search continues with the next rate, also beyond the list. A rate that diverges
    counts as the worst. A search costs 1.9 to 2.5 final runs; the command states the cost before
    it starts. The test split is never read.

    The rates and the evidence go to results/tuning/TASK/ARCHITECTURE. A later run uses a rate only
    for the same data, length, model size, steps, batch size, options, precision and backend.

    Every trial is a record. The same command continues after an interruption and runs no trial
    twice. `bench publish` publishes the trials.

    \b
    Exit codes: 0 every search chose a rate; 1 some did not; 2 the request, the data or the home is
    invalid; 3 --stop-after left trials for a later run; 130 interrupted.

    \b
    Examples:
      bench tune --benchmark core --task ner --parallel 2 --threads 1
      bench tune --benchmark core --parallel 2 --threads 1 --stop-after 8h
      bench tune --task ner --architectures vanilla,longformer --lengths 128
    """
    tuned = tune(rerun=rerun or False, **given)
    for item in tuned:
        if item.is_complete:
            print(item)
    if left := sum(not item.is_complete for item in tuned):
        print(f"{left} searches are left for a later run: the same command continues.")
        sys.exit(3)
    sys.exit(0 if all(item.learning_rate is not None for item in tuned) else 1)


for parameter in command.params:
    if isinstance(parameter, click.Option):
        parameter.hidden = parameter.name in REFUSED
        parameter.help = SEEDS if parameter.name == "seeds" else parameter.help
