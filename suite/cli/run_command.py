"""`bench run`: runs what is missing of a matrix, then shows table, records, dashboard, MLflow."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from suite.analysis.tables import make_tables
from suite.api import Status
from suite.api.errors import RequestError
from suite.cli.live import Display
from suite.cli.options import SECONDS, FiniteRange, make_request, make_store, request_options
from suite.cli.plan_command import summary
from suite.cli.planning import (
    Prepared,
    make_limits,
    parse_retry,
    parse_size,
    prepare,
    refuse_if_nothing_can_run,
    refuse_if_too_little,
)
from suite.execution.executors.base import Executor
from suite.execution.executors.local import LocalExecutor, accelerator_places
from suite.execution.runner import Event, Finished, Runner
from suite.records.environment import needs_spawn
from suite.records.published import local_record
from suite.records.schema import Invocation, Record, utc_now
from suite.records.store import Store, without_password
from suite.tracking.delivery import SyncProcess, tracking_uri

BAD = frozenset({Status.FAILED, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.DIVERGED})
PATH_OPTIONS = frozenset({"--home", "--bench-home", "--bench_home", "--tfds-data-dir"})
time_limit_option = click.option(
    "--time-limit", type=SECONDS, metavar="SECONDS", help="A cell's. [default: preset's]"
)
parallel_option = click.option(
    "--parallel",
    type=click.IntRange(1),
    help="Cells at once. More than 1 on one processor disturbs what is measured; take it for "
    "scores only. [default: 1, or one on each GPU]",
)


@click.command("run")
@request_options
@click.option(
    "--retry",
    metavar="STATUS,…",
    help="Run cells again that ended so, e.g. failed; noisy: that were measured beside others.",
)
@click.option("--rerun", is_flag=True, help="Run all cells again, done or not.")
@time_limit_option
@click.option("--memory-limit", metavar="SIZE", help="A cell's, e.g. 8GiB. [default: 2/3 of all]")
@parallel_option
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where cells run: on this machine, or on a Ray cluster (the extra `ray`).",
)
@click.option(
    "--address", metavar="HOST:PORT", help="The Ray cluster's. [default: one of this machine alone]"
)
@click.option(
    "--gpus",
    type=FiniteRange(min=0),
    default=0,
    help="GPUs that a cell asks of the Ray cluster. [default: 0]",
)
@click.option("--no-tracking", is_flag=True, help="Leave MLflow out; `bench sync` does it later.")
@click.option("--no-dashboard", is_flag=True, help="Leave the dashboard out.")
def command(
    home: str | None,
    retry: str | None,
    rerun: bool,
    time_limit: float | None,
    memory_limit: str | None,
    parallel: int | None,
    executor: str,
    address: str | None,
    gpus: float,
    no_tracking: bool,
    no_dashboard: bool,
    **given: Any,
) -> None:
    """Run the cells of a request that are not done yet, one fresh process each.

    The same command again runs what is missing or was interrupted. Ctrl-C once ends cleanly.

    \b
    Examples:
      bench run --task ner
      bench run --task ner --data files:my_corpus --lengths 128,512 --seeds 0,1,2
      bench run --mode probe --lengths 1024,2048,4096,8192 --batch-size 1
      bench run --mode probe --backends tensorflow,jax --precisions float32,mixed_bfloat16
    """
    store = make_store(home)
    request = make_request(given)
    limits = make_limits(request.preset, time_limit, memory_limit)
    cluster = executor == "ray"  # where a cell runs there, nobody knows beforehand
    prepared = prepare(request, store, parse_retry(retry), rerun, limits, any_machine=cluster)
    refuse_if_nothing_can_run(prepared)
    store.prepare()
    print(summary(prepared.plan), flush=True)
    if cluster:
        asked = parse_size(memory_limit) if memory_limit else None
        place = cluster_executor(address, gpus, asked)
    else:
        if address or gpus:
            raise RequestError("--address and --gpus are for --executor ray")
        split = [planned.cell.options.get("devices", 1) for planned in prepared.plan.to_run]
        place = local_executor(parallel, max(split, default=1))
    cells = len(prepared.plan.cells)
    with place as chosen, invoke(store, cells, tracking=not no_tracking) as invoked:
        records, interrupted = run_on(chosen, prepared, invoked)
    _show(records, prepared, store, dashboard=not no_dashboard)
    if interrupted:
        print("Interrupted. The same command runs what is missing.")
        sys.exit(130)
    sys.exit(1 if any(record.status in BAD for record in records) else 0)


@contextmanager
def local_executor(
    parallel: int | None = None, devices_per_cell: int = 1
) -> Iterator[LocalExecutor]:
    """Yield an executor of this machine; what it started ends with it.

    By default it runs one cell at a time, or one on each accelerator, side by side.
    """
    places = accelerator_places(devices_per_cell)
    executor = LocalExecutor(parallel or max(1, len(places)), needs_spawn(), places)
    try:
        yield executor
    finally:
        executor.close()


@contextmanager
def cluster_executor(
    address: str | None, num_gpus: float, memory_bytes: int | None
) -> Iterator[Executor]:
    """Yield an executor of a Ray cluster.

    Raises:
        RequestError: the extra is not installed, or no cluster answers.
    """
    try:
        from suite.execution.executors.ray import RayExecutor
    except ImportError:
        raise RequestError(
            "The executor 'ray' needs its extra",
            remedy='In the checkout: pip install -c constraints.txt -e ".[ray]"',
        ) from None
    executor = RayExecutor(address, num_gpus, memory_bytes)
    try:
        yield executor
    finally:
        executor.close()


def make_invocation(planned_cells: int | None) -> Invocation:
    """Name this command's run, and say what it was told."""
    now = utc_now()
    return Invocation(
        id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        started_at=now,
        command=_command_line(),
        planned_cells=planned_cells,
    )


@dataclass(frozen=True, slots=True)
class Invoked:
    """A command that runs cells: its name in their records, and their way to MLflow."""

    invocation: Invocation
    store: Store
    tracker: SyncProcess
    tracking: bool


@contextmanager
def invoke(
    store: Store, planned_cells: int | None = None, *, tracking: bool = True
) -> Iterator[Invoked]:
    """Begin a command that runs cells, and bring MLflow up to its records when it ends."""
    invocation = make_invocation(planned_cells)

    def warn(message: str) -> None:  # standard output is for what was asked
        print(f"bench: tracking: {message}", file=sys.stderr)

    tracker = SyncProcess(store, warn)
    try:
        yield Invoked(invocation, store, tracker, tracking)
    finally:
        if failure := tracker.finish():
            print(f"bench: MLflow is behind: {failure}", file=sys.stderr)
            print("bench: the records are safe; `bench sync` delivers them later", file=sys.stderr)


def run_on(
    executor: Executor, prepared: Prepared, invoked: Invoked
) -> tuple[Sequence[Record], bool]:
    """Run the plan on an executor that may have run others before and may run more.

    Return the records of all its cells and whether Ctrl-C ended it.
    """
    records: list[Record] = []
    to_run = prepared.plan.to_run
    store, tracker = invoked.store, invoked.tracker
    if to_run:
        refuse_if_too_little(store)
        if invoked.tracking:
            tracker.start()
    with Display(len(to_run)) as display:

        def take(event: Event) -> None:
            if isinstance(event, Finished):
                records.append(event.record)
                if not event.reused:
                    tracker.record_written(store.path_of(event.record))
            display(event)

        runner = Runner(
            plan=prepared.plan,
            store=store,
            executor=executor,
            invocation=invoked.invocation,
            limits=prepared.limits,
            tasks=prepared.tasks,
            digests=prepared.digests,
            search_path=prepared.search_path,
            on_event=take,
        )
        interrupted = False
        try:
            runner.run()
        except KeyboardInterrupt:
            interrupted = True
    return records, interrupted


def _command_line() -> str:
    """Return the command without the folders that it names, which are nobody else's business."""
    words, hidden = ["bench"], False
    for word in sys.argv[1:]:
        name, equals, _ = word.partition("=")
        if hidden:
            word = "…"
        elif equals and name in PATH_OPTIONS:
            word = f"{name}=…"
        hidden = word in PATH_OPTIONS
        words.append(re.sub(r"files:.*", "files:…", word))
    return " ".join(words)


def _show(records: Sequence[Record], prepared: Prepared, store: Store, dashboard: bool) -> None:
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
    print(f"MLflow UI  make ui   (store: {without_password(tracking_uri(store))})")
