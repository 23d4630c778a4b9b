"""Runs with what users see of them: progress, delivery to MLflow, warnings.

The command line and the Python API share these functions.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from suite.api import Limits, RequestError
from suite.api.errors import unknown_name
from suite.execution.parents import check_no_weights
from suite.execution.preparation import (
    Prepared,
    check_any_can_run,
    check_tuned,
    prepare,
)
from suite.execution.quantities import parse_size
from suite.execution.session import (
    MakeExecutor,
    Session,
    local_executor,
    open_session,
    ray_executor,
)
from suite.matrix.plan import Rerun
from suite.matrix.request import Request
from suite.progress import Display
from suite.records.environment import describe_commit
from suite.records.schema import Record
from suite.records.store import ReportUnreadable, Store
from suite.search.tuning_evidence import choice_problem
from suite.tracking.listener import deliver_records


def warn_of_file(path: Path, reason: str) -> None:
    """Warn of a file that is not a readable record."""
    warn(f"{path} is not a readable record and was left alone: {reason}")


def warn(message: str) -> None:
    """Give a Python warning."""
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def choose_executor(
    prepared: Prepared,
    *,
    executor: str = "local",
    parallel: int | None = None,
    address: str | None = None,
    gpus: float = 0,
    memory_limit: str | None = None,
) -> MakeExecutor:
    """Return what makes the executor of a run.

    Raises:
        RequestError: there is no such executor, an argument is of another one, or a cell takes or
            keeps weights on a cluster.
    """
    if executor not in ("local", "ray"):
        raise unknown_name("executor", executor, ("local", "ray"))
    if executor == "ray":
        check_no_weights(prepared.plan.to_run, "on a Ray cluster")
        return ray_executor(address, gpus, parse_size(memory_limit) if memory_limit else None)
    if address or gpus:
        raise RequestError("--address and --gpus need --executor ray")
    return local_executor(parallel, prepared.devices_per_cell)


def prepare_run(
    request: Request,
    store: Store,
    *,
    retry: Sequence[str] = (),
    rerun: Rerun = False,
    limits: Limits | None = None,
    executor: str = "local",
    keep_weights: bool = False,
    report_unreadable: ReportUnreadable = warn_of_file,
    on_warning: Callable[[str], None] = warn,
) -> Prepared:
    """Prepare a run, and check that at least one cell can run.

    Final runs that could not be published are announced before they start, and done trainings whose
    code has changed.

    Raises:
        LengthwiseError: the request or its data is invalid.
    """
    prepared = prepare(
        request,
        store,
        retry=retry,
        rerun=rerun,
        limits=limits,
        any_machine=executor == "ray",  # a cluster's machines are not known beforehand
        keep_weights=keep_weights,
        report_unreadable=report_unreadable,
    )
    check_any_can_run(prepared)
    check_tuned(prepared)
    check_choices(prepared)
    for note in filter(None, (prepared.changed_note, _why_unpublishable(prepared))):
        on_warning(note)
    return prepared


def check_choices(prepared: Prepared) -> None:
    """Check that the learning rate of each final run follows from the trials of its search.

    Raises:
        RequestError: a learning rate does not: its file was edited, say.
    """
    for planned in prepared.plan.to_run if prepared.benchmark.tuning else ():
        cell, tuning = planned.cell, planned.ranking.tuning
        if cell.benchmark is None or cell.task is None or tuning is None:
            continue
        task, digest = prepared.tasks[cell.task], prepared.digests.get(cell.task)
        if reason := choice_problem(cell, tuning, digest, task, prepared.benchmark):
            place = f"{cell.task}, {planned.ranking.entry} at {cell.sequence_length}"
            raise RequestError(
                "A final run takes the learning rate that `bench tune` chose",
                received=f"{place}: {reason}",
                remedy=f"Restore the file in results/tuning/{cell.task}/{cell.architecture}",
            )


def _why_unpublishable(prepared: Prepared) -> str:
    """Return why final runs of a ranked benchmark could not be published; "" if they can."""
    final = any(planned.cell.benchmark is not None for planned in prepared.plan.to_run)
    if not (final and prepared.benchmark.ranked):
        return ""
    dirty = describe_commit()["dirty"]
    if dirty is False:
        return ""
    reason = "the checkout has uncommitted changes" if dirty else "git does not report the commit"
    return f"{reason}: `bench publish` will refuse these final runs; commit first, then run again"


@contextmanager
def open_tracked_session(
    store: Store,
    command: str,
    planned_cells: int | None = None,
    *,
    executor: MakeExecutor | None = None,
    tracking: bool = True,
    on_warning: Callable[[str], None] = warn,
    stop_after_seconds: float | None = None,
) -> Iterator[Session]:
    """Yield a session whose records are delivered to MLflow."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(deliver_records(store, on_warning))] if tracking else []
        session = open_session(
            store,
            command,
            planned_cells=planned_cells,
            executor=executor,
            listeners=listeners,
            stop_after_seconds=stop_after_seconds,
        )
        yield stack.enter_context(session)


def run_with_display(
    session: Session, prepared: Prepared, file: TextIO, *, trials: bool = False
) -> list[Record]:
    """Run a plan, show its progress and return its records.

    With `trials`, the progress shows the learning rates and the scores.

    Raises:
        Interrupted: the user interrupted the run with Ctrl-C.
    """
    with Display(len(prepared.plan.to_run), file, trials=trials) as display:
        return session.run(prepared, display)
