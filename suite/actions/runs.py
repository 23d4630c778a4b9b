"""Plan and run a matrix."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from suite.actions.caller import name_call, report_broken, warn
from suite.actions.request import RequestKeywords, RunKeywords, names_of, read_request
from suite.actions.results import MatrixPlan, Records
from suite.api import Mode, RequestError
from suite.api.errors import check_name
from suite.execution.jobs import check_no_weights
from suite.execution.preparation import (
    Prepared,
    check_any_can_run,
    check_tuned,
    make_limits,
    prepare,
)
from suite.execution.processor_load import describe_load, wait_until_quiet
from suite.execution.quantities import parse_duration, parse_size
from suite.execution.runner import Event
from suite.execution.session import (
    MakeExecutor,
    Session,
    cluster_executor,
    local_executor,
    make_invocation,
)
from suite.matrix.durations import Deadline, durations_here
from suite.matrix.request import Request
from suite.progress import Display
from suite.records.environment import describe_commit
from suite.records.schema import Record
from suite.records.store import Store
from suite.search.tuning_evidence import choice_problem
from suite.tracking.delivery import deliver_records

if TYPE_CHECKING:
    from typing_extensions import Unpack

CLUSTERS = ("ray", "slurm")
RUN_ONLY = RunKeywords.__annotations__.keys() - RequestKeywords.__annotations__.keys()
"""The keyword arguments of a run that are not of its matrix."""


def plan(**request: Unpack[RunKeywords]) -> MatrixPlan:
    """Return the cells of a matrix and their state; nothing is run.

    The keyword arguments are those of `run`, so that a plan shows what the same call would run.

    ```python
    plan = suite.plan(task="ner", lengths=[128, 512], seeds=range(3))
    print(plan.summary)
    plan.to_frame()
    ```

    Raises:
        LengthwiseError: the request or its data is invalid.
    """
    matrix, store, given = _read_run(request)
    prepared = _prepare(matrix, store, given, accept_missing_data=True)
    report_broken(prepared.registry)
    parallel = given.get("parallel") or 1
    return MatrixPlan(prepared.plan.cells, prepared, durations_here(store), parallel)


def _read_run(keywords: Mapping[str, Any]) -> tuple[Request, Store, dict[str, Any]]:
    given = {name: keywords[name] for name in RUN_ONLY if keywords.get(name) is not None}
    of_matrix = {name: value for name, value in keywords.items() if name not in RUN_ONLY}
    return *read_request(of_matrix), given


def _prepare(
    request: Request, store: Store, given: Mapping[str, Any], *, accept_missing_data: bool = False
) -> Prepared:
    return prepare(
        request,
        store,
        retry=names_of("retry", given["retry"]) if "retry" in given else (),
        rerun=given.get("rerun", False),
        limits=make_limits(request.benchmark, given.get("time_limit"), given.get("memory_limit")),
        # The machines of a cluster are not known beforehand.
        any_machine=given.get("executor") in CLUSTERS,
        accept_missing_data=accept_missing_data,
        keep_weights=given.get("keep_weights", False),
    )


def run(*, progress: bool = True, **request: Unpack[RunKeywords]) -> Records:
    """Run the cells of a matrix that are not done yet; return the records of all its cells.

    Each cell runs in a fresh process. With `progress`, a live line per cell is shown in a terminal
    and in a notebook, and plain lines in a log. Ctrl-C, or a notebook's stop button, raises
    KeyboardInterrupt; the finished cells are kept, and the same call runs the missing ones.

    ```python
    records = suite.run(task="ner", architectures=["vanilla", "longformer"], benchmark="smoke")
    records.to_frame()
    ```

    Raises:
        LengthwiseError: the request or its data is invalid, or a record cannot be written.
    """
    with open_run("run", request, progress=progress) as (planned, tracked):
        return Records(tracked.run(planned.prepared))


def run_events(**request: Unpack[RunKeywords]) -> Iterator[Event]:
    """Run the cells of a matrix that are not done yet, and yield each event.

    The events are `Started`, `Progressed`, `Finished` and `Waiting`, and at the end `Postponed` if
    `stop_after` left cells for a later run. Before ranked runs come `Checking` and `Checked` of
    `suite.execution.conformance_checks`. Ending the loop early stops the running cells; their
    records have the status "interrupted".

    ```python
    for event in suite.run_events(mode="probe", architectures="vanilla", benchmark="smoke"):
        print(type(event).__name__)
    ```

    Raises:
        LengthwiseError: the request or its data is invalid, or a record cannot be written.
    """
    with open_run("run_events", request) as (planned, tracked):
        yield from tracked.session.events(planned.prepared)


@dataclass(frozen=True, slots=True)
class TrackedSession:
    """A session whose records are delivered to MLflow; `file` shows the progress of its plans.

    With `trials`, the progress shows the learning rates and the scores.
    """

    session: Session
    file: TextIO | None = None
    trials: bool = False

    def run(self, prepared: Prepared) -> list[Record]:
        """Run a plan and return its records; raise `Interrupted` after Ctrl-C."""
        if self.file is None:
            return self.session.run(prepared)
        to_run = len(prepared.plan.to_run)
        with Display(to_run, self.file, trials=self.trials) as display:
            return self.session.run(prepared, display)


@contextmanager
def open_run(
    function: str, keywords: Mapping[str, Any], *, progress: bool = False
) -> Iterator[tuple[MatrixPlan, TrackedSession]]:
    """Prepare a run; yield its plan and its session, once at least one cell can run.

    Warnings name final runs that could not be published, and done trainings whose code has changed.

    Raises:
        LengthwiseError: as for `run_events`.
    """
    request, store, given = _read_run(keywords)
    stop_after = seconds_of(given.get("stop_after"))
    on_cluster = given.get("executor") in CLUSTERS
    prepared = _prepare(request, store, given)
    check_any_can_run(prepared)
    check_tuned(prepared)
    check_choices(prepared)
    wait = seconds_of(given.get("wait_quiet"))
    load_note = "" if on_cluster else _load_note(prepared, request.threads, wait)
    for note in filter(None, (prepared.changed_note, _unpublishable_note(prepared), load_note)):
        warn(note)
    report_broken(prepared.registry)
    executor = _choose_executor(prepared, store, given)
    store.prepare()
    with open_tracked_session(
        store,
        function,
        keywords,
        file=sys.stdout if progress else None,
        planned_cells=len(prepared.plan.cells),
        executor=executor,
        stop_after_seconds=stop_after,
        tracking=given.get("tracking", True),
    ) as tracked:
        yield MatrixPlan(prepared.plan.cells, prepared), tracked


@contextmanager
def open_tracked_session(
    store: Store,
    function: str,
    keywords: Mapping[str, Any],
    *,
    file: TextIO | None,
    trials: bool = False,
    planned_cells: int | None = None,
    executor: MakeExecutor | None = None,
    stop_after_seconds: float | None = None,
    tracking: bool = True,
) -> Iterator[TrackedSession]:
    """Yield a session that is named after a call of a function, by default on this machine.

    `planned_cells` is None where a search plans cells as it goes. No cell starts that is not
    expected to end within `stop_after_seconds`.
    """
    deadline = None
    if stop_after_seconds is not None:
        deadline = Deadline(time.monotonic() + stop_after_seconds, durations_here(store))
    with ExitStack() as stack:
        listeners = [stack.enter_context(deliver_records(store))] if tracking else []
        invocation = make_invocation(name_call(function, keywords), planned_cells)
        session = Session(store, invocation, executor or local_executor(), listeners, deadline)
        yield TrackedSession(stack.enter_context(closing(session)), file, trials)


def seconds_of(duration: str | None) -> float | None:
    """Return the seconds of a duration such as "150m", as `parse_duration` does; None for None."""
    return None if duration is None else parse_duration(duration)


def _choose_executor(prepared: Prepared, store: Store, given: Mapping[str, Any]) -> MakeExecutor:
    """Return what makes the executor of a run, after a check of its arguments."""
    executor = given.get("executor", "local")
    address, gpus, memory = (given.get(name) for name in ("address", "gpus", "memory_limit"))
    check_name("executor", executor, ("local", *CLUSTERS))
    if executor == "ray":
        check_no_weights(prepared.plan.to_run, "on a Ray cluster")
        memory_bytes = parse_size(memory) if memory else None
        return cluster_executor("ray", address, gpus or 0, memory_bytes)
    if executor == "slurm":
        if address not in (None, "local"):
            raise RequestError(
                "On Slurm, --address is local, for jobs on this machine, or left out",
                received=address,
            )
        settings = store.home, address or "slurm", given.get("parallel"), math.ceil(gpus or 0)
        return cluster_executor("slurm", *settings)
    if address or gpus:
        raise RequestError("--address and --gpus need --executor ray or slurm")
    return local_executor(given.get("parallel"), prepared.devices_per_cell)


def check_choices(prepared: Prepared) -> None:
    """Raise a RequestError if the learning rate of a final run does not follow from its trials."""
    for planned in prepared.plan.to_run if prepared.benchmark.tuning else ():
        cell, tuning = planned.cell, planned.ranking.tuning
        if cell.benchmark is None or cell.task is None or tuning is None:
            continue
        task, digest = prepared.tasks[cell.task], prepared.digests.get(cell.task)
        if reason := choice_problem(cell, tuning, digest, task, prepared.benchmark):
            point = f"{cell.task}, {planned.ranking.entry} at {cell.sequence_length}"
            raise RequestError(
                "A final run takes the learning rate that `bench tune` chose",
                received=f"{point}: {reason}",
                remedy=f"Restore the file in results/tuning/{cell.task}/{cell.architecture}",
            )


def _load_note(prepared: Prepared, threads: int, wait_seconds: float | None) -> str:
    """Return that other programs will disturb the costs of a run; empty if none will.

    Runs that measure costs look before they start, and all runs do if they wait.
    """
    modes = {planned.cell.mode for planned in prepared.plan.to_run}
    if not modes or (wait_seconds is None and modes == {Mode.TRAIN}):
        return ""
    cores = wait_until_quiet(threads, wait_seconds or 0.0)
    if not cores:
        return ""
    told = f"{describe_load(cores)}: speeds will be marked with ~"
    return f"{told} and not ranked" if wait_seconds else f"{told}; --wait-quiet 10m waits"


def _unpublishable_note(prepared: Prepared) -> str | None:
    """Return why final runs of a ranked benchmark could not be published; None if they can."""
    final = any(planned.cell.benchmark is not None for planned in prepared.plan.to_run)
    if not (final and prepared.benchmark.ranked):
        return None
    dirty = describe_commit()["dirty"]
    if dirty is False:
        return None
    reason = "the checkout has uncommitted changes" if dirty else "git does not report the commit"
    return f"{reason}: `bench publish` will refuse these final runs; commit first, then run again"
