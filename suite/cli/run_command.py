"""`bench run`: runs the missing cells of a matrix, then prints the tables."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import click

from suite.actions.records import compare
from suite.actions.results import MatrixPlan, Records
from suite.actions.runs import open_run
from suite.api import Mode, Status
from suite.api.files import IN_CHECKOUT
from suite.cli.command import SECONDS, Command, FiniteRange, request_options, stack
from suite.execution.session import Interrupted
from suite.matrix.plan import CHANGED
from suite.records.naming import cell_label
from suite.records.schema import RecordSummary
from suite.records.store import Store
from suite.records.weights import MOST_LISTED, has_weights
from suite.tracking.connection import tracking_uri, without_password

BAD = frozenset(Status) - {Status.OK, Status.UNSUPPORTED, Status.SKIPPED}
ALL = "all"
time_limit_option = click.option(
    "--time-limit",
    type=SECONDS,
    metavar="SECONDS",
    help="Time limit of a cell. Time during which the cell, this command or the machine is paused "
    "does not count. [default: the benchmark's]",
)
parallel_option = click.option(
    "--parallel",
    type=click.IntRange(1),
    metavar="N",
    help="Number of cells that run at once. On one processor, more than 1 disturbs the "
    "measurements; use it for scores only. [default: 1, or one on each GPU]",
)


def stop_after_option(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that leaves cells of a kind for later."""
    return click.option(
        "--stop-after",
        metavar="TIME",
        help=f"Start no {kind} that is not expected to end by then, e.g. 150m or 8h. The same "
        "command continues later.",
    )


def _rerun_of(context: Any, parameter: Any, chosen: str | None) -> bool | str:
    return chosen if chosen == CHANGED else chosen == ALL


run_options = stack(
    click.option(
        "--retry",
        metavar="STATUS,…",
        help="Run cells with these statuses again, e.g. failed. noisy: cells that were measured "
        "while other programs used the machine.",
    ),
    click.option(
        "--rerun",
        is_flag=False,
        flag_value=ALL,
        type=click.Choice([ALL, CHANGED]),
        callback=_rerun_of,
        help="Run all cells again. changed: trainings whose code has changed since.",
    ),
    time_limit_option,
    stop_after_option("cell"),
    click.option(
        "--wait-quiet",
        metavar="TIME",
        help="Wait until other programs leave the processor alone, at most this long, e.g. 10m.",
    ),
    click.option(
        "--memory-limit",
        metavar="SIZE",
        help="Memory limit of a cell, e.g. 8GiB. [default: 2/3 of the machine's memory]",
    ),
    parallel_option,
    click.option(
        "--executor",
        type=click.Choice(["local", "ray", "slurm"]),
        default="local",
        show_default=True,
        help="Where cells run: on this machine, or on a Ray or Slurm cluster (extra `ray` or "
        "`slurm`).",
    ),
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="Address of the Ray cluster. [default: a new one on this machine] For Slurm, local: "
        "jobs on this machine, to try it.",
    ),
    click.option(
        "--gpus",
        type=FiniteRange(min=0),
        metavar="N",
        default=0,
        help="GPUs that a cell requests from the cluster. [default: 0]",
    ),
    click.option(
        "--keep-weights",
        is_flag=True,
        help="Keep the weights of every trained model, for `bench predict`; a done cell without "
        "them runs again.",
    ),
    click.option(
        "--no-tracking", is_flag=True, help="Do not write to MLflow; `bench sync` can do so later."
    ),
    click.option("--no-dashboard", is_flag=True, help="Do not write the dashboard."),
)
"""The options of a run beside those of its request; a plan takes them too."""


@click.command("run", cls=Command)
@request_options
@run_options
def command(no_tracking: bool, no_dashboard: bool, **given: Any) -> None:
    """Run the cells of a request that are not done yet, each in a fresh process.

    Running the same command again runs the missing and interrupted cells. Ctrl-C stops the run; all
    finished cells are kept.

    \b
    Exit codes: 0 success; 1 a cell failed, ran out of memory or time, or diverged;
    2 the request, the data or the home is invalid; 3 --stop-after left cells for a later run, and
    those that ran are good; 130 interrupted.

    \b
    Examples:
      bench run --task ner
      bench run --task ner --data files:my_corpus --lengths 128,512 --seeds 0-2
      bench run --benchmark core --parallel 2 --stop-after 8h
      bench run --mode probe --lengths 1024..8192 --batch-size 1
      bench run --mode probe --backends tensorflow,jax --precisions float32,mixed_bfloat16
    """
    keywords = {**given, "tracking": not no_tracking}
    interrupted = False
    with open_run("run", keywords, progress=True) as (plan, tracked):
        prepared, store = plan.prepared, tracked.session.store
        notes = [plan.summary, plan.tuning_note, plan.sealed_note, prepared.left_out_note]
        notes += prepared.data_notes
        print("\n".join(filter(None, notes)), flush=True)
        try:
            records = Records(tracked.run(prepared))
        except Interrupted as interruption:
            records, interrupted = Records(interruption.records), True
    left = len(plan) - len(records)
    unfinished = tracked.session.invocation.command if interrupted or left else ""
    _print_results(records, store, dashboard=not no_dashboard, unfinished=unfinished)
    if given["keep_weights"]:
        _print_kept(records, plan, store, named_home=given["home"])
    if not interrupted:
        for number, (command_line, purpose) in enumerate(next_commands(records, plan)):
            print(f"{'' if number else 'Next':10} {command_line}   # {purpose}")
    if interrupted:
        without = " without --rerun" if given["rerun"] is True else ""
        print(f"Interrupted. The same command{without} runs the missing cells.")
        sys.exit(130)
    if any(record.status in BAD for record in records):
        sys.exit(1)
    if left:
        print(f"{left} cells are left for a later run: the same command continues.")
    sys.exit(3 if left else 0)


def _print_results(records: Records, store: Store, *, dashboard: bool, unfinished: str) -> None:
    # A plan, which shares this module's options, prints neither tables nor pages.
    from suite.actions.sites import write_dashboard
    from suite.report.tables import print_tables

    if not records:
        return
    print_tables(compare(records).items, unfinished)
    print(f"\nRecords    {store.records}")
    if dashboard:
        print(f"Dashboard  {write_dashboard(home=store.home)}")
    uri = without_password(tracking_uri(store))
    command = "make ui" if IN_CHECKOUT else "bench ui"
    print(f"MLflow UI  {uri if uri.startswith('http') else f'{command}   (store: {uri})'}")


def _print_kept(
    records: Records, plan: MatrixPlan, store: Store, *, named_home: str | None
) -> None:
    source = click.get_current_context().get_parameter_source("home")
    given = named_home and source is not click.core.ParameterSource.ENVIRONMENT
    home = f" --home {shlex.quote(str(named_home))}" if given else ""
    kept = [record for record in records if has_weights(store, record)]
    for record in kept[:MOST_LISTED]:
        label = cell_label(record.cell, record.ranking)
        if plan.prepared.tasks[str(record.cell.task)].reads_raw_text:
            print(f"Predict    {_text('predict', [record.run_id])} FILE{home}   # {label}")
        else:
            print(f"Weights    {label}: the task reads no raw input, so that it cannot predict")
    if len(kept) > MOST_LISTED:
        print(f"           and {len(kept) - MOST_LISTED} others: see the files in {store.records}")


SEEDS = 3
"""The least number of seeds with an interval."""
RERUN = "--rerun"
ONCE = ("rerun", "retry", "wait_quiet")
"""Options that the next command does not repeat."""


def next_commands(records: Records, plan: MatrixPlan) -> list[tuple[str, str]]:
    """Return commands that lead on from the trainings of a run, each with its purpose."""
    context = click.get_current_context()
    exceeded = [
        record.details.get("limits", {}).get("seconds", 0)
        for record in records
        if record.status is Status.TIMED_OUT
    ]
    trained = [
        record
        for record in records
        if record.status is Status.OK and record.cell.mode is Mode.TRAIN
    ]
    commands = []
    if limit := max(exceeded, default=0):
        words = [*_words(context, {"time_limit", *ONCE}), "--time-limit", f"{3 * limit:.0f}"]
        commands.append((_text("run", words), "more time for the cells that timed out"))
    return [*commands, *(_commands(trained, plan, context) if trained else ())]


def _commands(
    trained: Sequence[RecordSummary], plan: MatrixPlan, context: click.Context
) -> Iterator[tuple[str, str]]:
    from suite.cli.tune_command import command as tune

    seeds = {record.cell.seed for record in trained}
    again = _words(context, {"seeds", *ONCE})
    if len(seeds) < SEEDS:
        purpose = "three seeds: a range, and an interval on the dashboard"
        yield _text("run", [*again, "--seeds", f"0-{SEEDS - 1}"]), purpose
    if not any(record.ranking.tuning for record in trained):
        known = {parameter.name for parameter in tune.params}
        others = {parameter.name or "" for parameter in context.command.params} - known
        words = _words(context, {"seeds", "test", *others, *ONCE})
        yield _text("tune", words), "choose each learning rate on validation"
    tasks = {plan.prepared.tasks[str(record.cell.task)] for record in trained}
    if not context.params["keep_weights"] and any(task.reads_raw_text for task in tasks):
        words = [*_words(context, set(ONCE)), "--keep-weights"]
        yield _text("run", words), "keep the weights; then `bench predict`"


def _text(command: str, words: list[str]) -> str:
    program = "bench" if shutil.which("bench") else sys.argv[0]  # `make bench` activates nothing
    return shlex.join([program, command, *words])


def _words(context: click.Context, without: Collection[str]) -> list[str]:
    """Return the words of the command line without some options, which have their names in it."""
    options = {
        name: parameter
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    given, kept = sys.argv[2:], []
    while given:
        word = given.pop(0)
        name, has_value, _ = word.partition("=")
        parameter = options.get(name)
        words = [word]
        takes_value = parameter and not parameter.is_flag and not has_value
        if takes_value and (name != RERUN or given[:1] == [CHANGED]):  # --rerun may have none
            words.append(given.pop(0))
        if parameter is None or parameter.name not in without:
            kept += words
    return kept
