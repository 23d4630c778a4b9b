"""Run the cells of a plan in order: leases, limits, progress and interruption."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, cast

from suite.api import HomeError, Job, Limits, Status
from suite.api.weights import too_large
from suite.execution.conformance_checks import Checked, Checking, find_conformance
from suite.execution.executors.base import (
    Executor,
    ProcessResult,
    Update,
    classify_exit,
    read_provenance,
)
from suite.execution.jobs import count_runs, make_job, make_record, parent_problem
from suite.execution.preparation import Prepared
from suite.matrix.durations import Deadline
from suite.matrix.plan import (
    RETRIED_ALWAYS,
    find_valid,
    is_of_code,
    shorter_length_ran_out_of_memory,
    with_scored_lengths,
)
from suite.matrix.planned_cells import PlannedCell
from suite.records.environment import describe_environment
from suite.records.naming import new_run_id
from suite.records.schema import Environment, Invocation, Record, utc_now
from suite.records.store import Lease, Store
from suite.records.validity import has_lengths_of
from suite.records.weights import has_weights, keep_weights, weights_folder

RESUMABLE = frozenset({Status.INTERRUPTED, Status.TIMED_OUT})
"""The statuses of trainings that resume from their checkpoint when they run again."""
LEASE_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Started:
    """A cell is about to start."""

    planned: PlannedCell


@dataclass(frozen=True, slots=True)
class Progressed:
    """A cell reported progress."""

    planned: PlannedCell
    progress: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finished:
    """A cell's record was written, or an existing record is valid (`reused`)."""

    planned: PlannedCell
    record: Record
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """All remaining cells are running in other invocations."""

    cells: Sequence[PlannedCell]


@dataclass(frozen=True, slots=True)
class Postponed:
    """Cells that were not started, since they would not end before the deadline."""

    cells: Sequence[PlannedCell]


Event = Checking | Checked | Started | Progressed | Finished | Waiting | Postponed
OnEvent = Callable[[Event], None]


@dataclass
class Runner:
    """Runs the cells of one plan through an executor and writes their records."""

    prepared: Prepared
    store: Store
    executor: Executor
    invocation: Invocation
    on_event: OnEvent = lambda event: None
    deadline: Deadline | None = None
    _running: dict[str, _Run] = field(default_factory=dict)
    _written: list[Record] = field(default_factory=list)
    _unread: deque[Event] = field(default_factory=deque)
    _postponed: dict[str, PlannedCell] = field(default_factory=dict)
    _unfinished: set[str] = field(default_factory=set)

    def events(self) -> Generator[Event, None, None]:
        """Run all cells of the plan that are to run, and yield each event.

        `on_event` gets the same events. On KeyboardInterrupt, or when the iterator is closed, the
        running cells are killed and recorded as `interrupted`. KeyboardInterrupt is raised again
        after the events of these records.
        """
        try:
            yield from self._run()
        except BaseException as error:
            self._interrupt()
            if not isinstance(error, GeneratorExit):
                yield from self._read()
            raise

    def _run(self) -> Iterator[Event]:
        plan = self.prepared.plan
        queue = deque(plan.to_run)
        self._unfinished = {planned.cell.id for planned in queue}
        for planned in plan.cells:
            if not plan.runs(planned) and not self._settle(planned):
                queue.append(planned)
            yield from self._read()
        while queue or self._running:
            self._start_cells(queue)
            yield from self._read()
            for update in self.executor.wait():
                self._take(update)
                yield from self._read()
        if self._postponed:
            self._report(Postponed(list(self._postponed.values())))
            yield from self._read()

    def _settle(self, planned: PlannedCell) -> bool:
        """Report a cell that is done or unsupported, and write the record that it lacks.

        A trial of `bench tune` has the same cell as the run with the chosen rate, but ran before
        the choice: a copy with the choice supersedes its record. Return False if the cell lacks a
        record and another invocation holds its lease.
        """
        done = self.prepared.plan.done.get(planned.cell.id)
        if done and (planned.ranking.tuning is None or done.ranking.tuning is not None):
            self._report(Finished(planned, done, reused=True))
            return True
        lease = self.store.acquire(planned.cell.id)
        if lease is None:
            return False
        with closing(lease):
            existing = self.store.all([planned.cell.id])
            if record := self._written_since_plan(planned, existing):
                self._report(Finished(planned, record, reused=True))
            elif planned.unsupported:
                self._record_not_run(planned, Status.UNSUPPORTED, planned.unsupported)
            elif done:
                chosen = {"run_id": self._new_run_id(), "ranking": planned.ranking}
                self.store.write(copy := done.model_copy(update=chosen))
                self._report(Finished(planned, copy, reused=True))
        return True

    def _report(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._unfinished.discard(event.planned.cell.id)
        self.on_event(event)
        self._unread.append(event)

    def _read(self) -> Iterator[Event]:
        while self._unread:
            yield self._unread.popleft()

    def _start_cells(self, queue: deque[PlannedCell]) -> None:
        held: list[PlannedCell] = []
        waiting: list[PlannedCell] = []
        while queue and self.executor.has_room():
            planned = queue.popleft()
            if not self.prepared.plan.runs(planned):
                held += [] if self._settle(planned) else [planned]
                continue
            parents = set(planned.parents.values())
            limits = planned.limits_from(self.prepared.limits)
            too_late = self.deadline and not self.deadline.allows(planned.cell, limits)
            if too_late or parents & self._postponed.keys():
                self._postponed[planned.cell.id] = planned
                continue
            if parents & self._unfinished:
                waiting.append(planned)
                continue
            lease = self.store.acquire(planned.cell.id)
            if lease is None:
                held.append(planned)
                continue
            # Another invocation may have run the cell, or scored further lengths, since the plan.
            existing = self.store.all([planned.cell.id])
            if record := self._written_since_plan(planned, existing):
                lease.close()
                self._report(Finished(planned, record, reused=True))
            elif reason := self._skip_reason(planned):
                self._record_not_run(planned, Status.SKIPPED, reason)
                lease.close()
            else:
                self._start(with_scored_lengths(planned, existing), lease, count_runs(existing))
        queue.extend([*held, *waiting])
        if held and not self._running:
            self._report(Waiting(held))
            time.sleep(LEASE_POLL_SECONDS)

    def _skip_reason(self, planned: PlannedCell) -> str | None:
        known = [*self.prepared.plan.done.values(), *self._written]
        return shorter_length_ran_out_of_memory(planned, known) or parent_problem(
            planned, known, self.store
        )

    def _written_since_plan(
        self, planned: PlannedCell, existing: Sequence[Record]
    ) -> Record | None:
        """Return a valid record that another invocation has written since this plan was made.

        One without weights is not valid for a cell that keeps them, unless they are too large.
        """
        plan = self.prepared.plan
        since = [
            record
            for record in existing
            if record.run_id not in plan.known and is_of_code(record, plan.code_of)
        ]
        record = find_valid(since, plan.any_machine).get(planned.cell.id)
        if record is None:
            return None
        valid = record.status not in RETRIED_ALWAYS and has_lengths_of(record, planned.cell)
        if planned.unsupported:
            valid = record.reason == planned.unsupported
        elif planned.keeps_weights and record.status is Status.OK:
            can_have = not too_large(record.parameter_count or 0)
            valid = valid and (has_weights(self.store, record) or not can_have)
        return record if valid else None

    def _start(self, planned: PlannedCell, lease: Lease, earlier: Mapping[str, int]) -> None:
        started_at = utc_now()
        run_id = self._new_run_id()
        folder = self.store.new_scratch(run_id)
        (folder / "cell_id").write_text(planned.cell.id)
        job = make_job(
            planned,
            self.prepared,
            folder=folder,
            cache=self.store.cache,
            checkpoint=self.store.checkpoint(planned.cell.id),
            parents={role: weights_folder(self.store, id) for role, id in planned.parents.items()},
        )
        limits = planned.limits_from(self.prepared.limits)
        self._running[run_id] = _Run(planned, job, limits, lease, started_at, earlier)
        self._report(Started(planned))
        self.executor.start(run_id, job, limits)

    def _take(self, update: Update) -> None:
        run = self._running[update.run_id]
        if update.progress is not None:
            self._report(Progressed(run.planned, update.progress))
        if update.result is not None:
            status, reason = classify_exit(update.result, run.limits)
            self._finish(update.run_id, update.result, status, reason)

    def _interrupt(self) -> None:
        self.executor.close()
        for run_id, run in list(self._running.items()):
            code = read_provenance(run.job.folder)
            result = ProcessResult(None, 0, "interrupt", log_tail="", environment=code)
            self._finish(run_id, result, Status.INTERRUPTED, "the invocation was interrupted")

    def _finish(
        self, run_id: str, result: ProcessResult, status: Status, reason: str | None
    ) -> None:
        run = self._running.pop(run_id)
        environment = {**describe_environment(), **(result.environment or {})}
        cell = run.planned.cell
        make = partial(
            make_record,
            run_id=run_id,
            planned=run.planned,
            times=(run.started_at, utc_now()),
            environment=environment,
            invocation=self.invocation,
            limits=run.limits,
            earlier=run.earlier,
            digest=self.prepared.digests.get(cell.task or ""),
            conformance=find_conformance(self.store, cell, environment.get("cost_digest")),
        )
        try:
            record = make(result=result, verdict=(status, reason))
            record.to_json()
        except (ValueError, TypeError) as error:  # such as a metric that is not a number
            problem = " ".join(str(error).split())[:300]
            failed = (Status.FAILED, f"the worker wrote an invalid outcome file: {problem}")
            record = make(result=replace(result, outcome=None), verdict=failed)
        if record.status is Status.OK and run.job.weights.is_dir():
            try:
                keep_weights(self.store, cell.id, run.job.weights)
            except HomeError as error:  # the record is not lost with the weights
                details = {**record.details, "weights_problem": str(error)}
                record = record.model_copy(update={"details": details})
        self.store.write(record)
        self._written.append(record)
        if self.deadline:
            self.deadline.durations.add(record)
        shutil.rmtree(run.job.folder, ignore_errors=True)
        if record.status not in RESUMABLE:
            run.job.checkpoint.unlink(missing_ok=True)
        run.lease.close()
        self._report(Finished(run.planned, record))

    def _record_not_run(self, planned: PlannedCell, status: Status, reason: str) -> None:
        now, digest = utc_now(), self.prepared.digests.get(planned.cell.task or "")
        record = Record(
            run_id=self._new_run_id(),
            cell_id=planned.cell.id,
            cell=planned.cell,
            status=status,
            reason=reason,
            started_at=now,
            ended_at=now,
            ranking=planned.ranking,
            environment=cast(Environment, describe_environment()),
            invocation=self.invocation,
            data={"digest": digest} if digest else None,
        )
        self.store.write(record)
        self._written.append(record)
        self._report(Finished(planned, record))

    def _new_run_id(self) -> str:
        return new_run_id(utc_now(), self.store.run_ids())


@dataclass(frozen=True, slots=True)
class _Run:
    planned: PlannedCell
    job: Job
    limits: Limits
    lease: Lease
    started_at: datetime
    earlier: Mapping[str, int]
