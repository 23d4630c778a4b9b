"""`bench run`: runs the missing cells of a matrix, then prints the tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from suite.analysis.tables import make_tables
from suite.api import Status
from suite.api.files import IN_CHECKOUT
from suite.cli.options import (
    SECONDS,
    FiniteRange,
    make_request,
    make_store,
    request_options,
    split_list,
)
from suite.cli.registry import print_left_out
from suite.cli.sessions import open_command_session, warn
from suite.cli.unreadable import print_unreadable
from suite.execution.preparation import Prepared, make_limits
from suite.execution.quantities import parse_duration
from suite.execution.session import Interrupted
from suite.matrix.plan import CHANGED
from suite.records.published import local_record
from suite.records.schema import Record
from suite.records.store import Store
from suite.results import MatrixPlan
from suite.runs import choose_executor, prepare_run, run_with_display
from suite.tracking.connection import tracking_uri
from suite.tracking.uri import without_password

BAD = frozenset(Status) - {Status.OK, Status.UNSUPPORTED, Status.SKIPPED}
ALL = "all"
time_limit_option = click.option(
    "--time-limit",
    type=SECONDS,
    metavar="SECONDS",
    help="Time limit of a cell. [default: the benchmark's]",
)
parallel_option = click.option(
    "--parallel",
    type=click.IntRange(1),
    help="Number of cells that run at once. On one processor, more than 1 disturbs the "
    "measurements; use it for scores only. [default: 1, or one on each GPU]",
)


@click.command("run")
@request_options
@click.option(
    "--retry",
    metavar="STATUS,…",
    help="Run cells with these statuses again, e.g. failed. noisy: cells that were measured while "
    "other processes used the machine.",
)
@click.option(
    "--rerun",
    is_flag=False,
    flag_value=ALL,
    type=click.Choice([ALL, CHANGED]),
    help="Run all cells again. changed: trainings whose code has changed since.",
)
@time_limit_option
@click.option(
    "--stop-after",
    type=parse_duration,
    metavar="TIME",
    help="Start no cell that is not expected to end by then, e.g. 150m or 8h. The same command "
    "continues later.",
)
@click.option(
    "--memory-limit",
    metavar="SIZE",
    help="Memory limit of a cell, e.g. 8GiB. [default: 2/3 of the machine's memory]",
)
@parallel_option
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where cells run: on this machine, or on a Ray cluster (needs the extra `ray`).",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Address of the Ray cluster. [default: a new one on this machine]",
)
@click.option(
    "--gpus",
    type=FiniteRange(min=0),
    default=0,
    help="GPUs that a cell requests from the Ray cluster. [default: 0]",
)
@click.option(
    "--keep-weights",
    is_flag=True,
    help="Keep the weights of every trained model, for `bench predict`; a done cell without them "
    "runs again.",
)
@click.option(
    "--no-tracking", is_flag=True, help="Do not write to MLflow; `bench sync` can do so later."
)
@click.option("--no-dashboard", is_flag=True, help="Do not write the dashboard.")
def command(
    home: str | None,
    retry: str | None,
    rerun: str | None,
    time_limit: float | None,
    stop_after: float | None,
    memory_limit: str | None,
    parallel: int | None,
    executor: str,
    address: str | None,
    gpus: float,
    keep_weights: bool,
    no_tracking: bool,
    no_dashboard: bool,
    **given: Any,
) -> None:
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
      bench run --task ner --data files:my_corpus --lengths 128,512 --seeds 0,1,2
      bench run --benchmark core --parallel 2 --stop-after 8h
      bench run --mode probe --lengths 1024,2048,4096,8192 --batch-size 1
      bench run --mode probe --backends tensorflow,jax --precisions float32,mixed_bfloat16
    """
    store = make_store(home)
    request = make_request(given)
    prepared = prepare_run(
        request,
        store,
        retry=split_list(retry) if retry else (),
        rerun=CHANGED if rerun == CHANGED else rerun == ALL,
        limits=make_limits(request.benchmark, time_limit, memory_limit),
        executor=executor,
        keep_weights=keep_weights,
        report_unreadable=print_unreadable,
        on_warning=warn,
    )
    print_left_out(prepared.registry)
    place = choose_executor(
        prepared,
        executor=executor,
        parallel=parallel,
        address=address,
        gpus=gpus,
        memory_limit=memory_limit,
    )
    store.prepare()
    plan = MatrixPlan(prepared.plan.cells, prepared)
    notes = [plan.summary, plan.tuning_note, plan.sealed_note, *prepared.data_notes]
    print("\n".join(filter(None, notes)), flush=True)
    interrupted = False
    with open_command_session(
        store,
        len(prepared.plan.cells),
        executor=place,
        tracking=not no_tracking,
        stop_after_seconds=stop_after,
    ) as session:
        try:
            records: Sequence[Record] = run_with_display(session, prepared, sys.stdout)
        except Interrupted as interruption:
            records, interrupted = interruption.records, True
    _print_results(records, prepared, store, dashboard=not no_dashboard)
    if interrupted:
        without = " without --rerun" if rerun == ALL else ""
        print(f"Interrupted. The same command{without} runs the missing cells.")
        sys.exit(130)
    if any(record.status in BAD for record in records):
        sys.exit(1)
    left = len(prepared.plan.cells) - len(records)
    if left:
        print(f"{left} cells are left for a later run: the same command continues.")
    sys.exit(3 if left else 0)


def _print_results(
    records: Sequence[Record], prepared: Prepared, store: Store, dashboard: bool
) -> None:
    from suite.cli.dashboard_command import draw
    from suite.cli.tables import print_tables

    if not records:
        return
    registry = prepared.registry
    stored = [local_record(record, store.path_of(record)) for record in records]
    print_tables(make_tables(stored, registry.task_versions, registry.architectures.plugins))
    print(f"\nRecords    {store.records}")
    if dashboard:
        print(f"Dashboard  {draw(store, registry)}")
    uri = without_password(tracking_uri(store))
    command = "make ui" if IN_CHECKOUT else "bench ui"
    print(f"MLflow UI  {uri if uri.startswith('http') else f'{command}   (store: {uri})'}")
