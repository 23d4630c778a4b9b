"""Expected times of cells, learned from the records of this machine, and deadlines."""

from __future__ import annotations

import heapq
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from suite.api import Cell, Limits, Status
from suite.records.environment import describe_machine, hardware
from suite.records.schema import RecordSummary
from suite.records.store import Store, ignore

CellKind = tuple[object, ...]
MAX_RECORDS = 1_000
"""The number of records that times are learned from."""
MARGIN = 1.2
"""A cell may take this many times its expected time before a deadline."""


@dataclass(frozen=True, slots=True)
class ExpectedTime:
    """How long cells are expected to take, `parallel` at a time.

    `seconds` is None if no cell is like one that has finished. `num_unknown` counts these cells;
    beside known ones, each counts as their mean.
    """

    num_cells: int
    seconds: float | None
    num_unknown: int = 0
    parallel: int = 1

    def __str__(self) -> str:
        if self.seconds is None:
            return "an unknown time (no record of this machine has such a cell)"
        hours, minutes = self.seconds / 3_600, round(self.seconds / 60)
        time = f"{minutes} minute{'' if minutes == 1 else 's'}"
        time = f"{hours:.1f} hours" if hours >= 1 else time
        unlike = f" ({self.num_unknown} of them like none that has run)" if self.num_unknown else ""
        return f"about {time}{unlike}"


class Durations:
    """The times that cells took on one kind of machine.

    A cell is expected to take the median time of finished cells that differ in seed or round alone;
    another number of steps changes the time of the steps. Without such a cell, the longest time of
    another architecture at the same task, lengths and batch counts.
    """

    def __init__(self, records: Iterable[RecordSummary] = ()) -> None:
        self._times: dict[CellKind, dict[str, list[tuple[float, float]]]] = {}
        self.thread_counts: set[int] = set()
        for record in records:
            self.add(record)

    def add(self, record: RecordSummary) -> None:
        """Learn from a record; one that did not end well teaches nothing."""
        if record.status is not Status.OK or record.worker_seconds is None:
            return
        if record.details.get("resumed_at_steps"):
            return  # the worker of the record took a part of the steps only
        steps = record.cell.steps  # 0 in a probe
        of_steps = steps * (record.measured("training", "step_seconds") or 0.0)
        of_steps = min(of_steps, record.worker_seconds)
        per_step = of_steps / steps if steps else 0.0
        time = record.worker_seconds - of_steps, per_step
        by_architecture = self._times.setdefault(_kind(record.cell), {})
        by_architecture.setdefault(record.cell.architecture, []).append(time)
        self.thread_counts.add(record.cell.threads)

    def expected_seconds(self, cell: Cell) -> float | None:
        """Return how long a cell is expected to take; None if no similar cell has finished."""
        by_architecture = self._times.get(_kind(cell), {})
        if times := by_architecture.get(cell.architecture):
            return _seconds(times, cell)
        return max((_seconds(times, cell) for times in by_architecture.values()), default=None)

    def expected(self, cells: Sequence[Cell], parallel: int = 1) -> ExpectedTime:
        """Return how long cells take, `parallel` at a time."""
        seconds_each = [self.expected_seconds(cell) for cell in cells]
        known = [seconds for seconds in seconds_each if seconds is not None]
        if seconds_each and not known:
            return ExpectedTime(len(seconds_each), None, len(seconds_each), parallel)
        mean = statistics.fmean(known) if known else 0.0
        ends = [0.0] * parallel
        for seconds in seconds_each:
            heapq.heapreplace(ends, ends[0] + (mean if seconds is None else seconds))
        return ExpectedTime(len(seconds_each), max(ends), len(seconds_each) - len(known), parallel)


def durations_here(store: Store) -> Durations:
    """Return the durations that the newest records of this machine, or one like it, teach."""
    # An expected time needs no word on files that a command does not read otherwise.
    quiet = replace(store, warn=ignore)
    here, records = hardware(describe_machine()), quiet.summaries(newest=MAX_RECORDS)
    return Durations(record for record in records if hardware(record.environment) == here)


def _kind(cell: Cell) -> CellKind:
    """Return what similar cells share, besides the architecture."""
    return (
        *(cell.mode, cell.task, cell.source_kind, cell.form, cell.sequence_length),
        *(cell.batch_size, cell.model_size, cell.backend, cell.precision, cell.threads),
        cell.evaluation_lengths,
    )


def _seconds(times: Sequence[tuple[float, float]], cell: Cell) -> float:
    return statistics.median(fixed + per_step * cell.steps for fixed, per_step in times)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, on the monotonic clock, by which all cells of a run have to end."""

    ends_at: float
    durations: Durations

    def allows(self, cell: Cell, limits: Limits) -> bool:
        """Return whether a cell that starts now ends in time.

        The expected time counts with a margin. The time limit bounds a cell of unknown duration.
        """
        expected = self.durations.expected_seconds(cell)
        seconds = limits.seconds if expected is None else min(MARGIN * expected, limits.seconds)
        return time.monotonic() + seconds <= self.ends_at
