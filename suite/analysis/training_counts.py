"""How many trainings without a rank exist of each task: what a page may say of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from suite.analysis.comparison_key import grouped
from suite.api import Mode, Status
from suite.records.published import StoredRecord, has_own_file, is_final


@dataclass(frozen=True, slots=True)
class TrainingCount:
    """The trainings of one task: their number, their lengths, and how many architectures they have.

    `benchmark` is the unranked benchmark whose final runs they are; None for trials.
    """

    benchmark: str | None
    task: str
    num_trainings: int
    lengths: tuple[int, ...]
    num_architectures: int

    def __str__(self) -> str:
        word = "trial" if self.benchmark is None else "run"
        return (
            f"{self.num_trainings:,} {word}{_plural(self.num_trainings)} of "
            f"{self.num_architectures} architecture{_plural(self.num_architectures)} at "
            f"length{_plural(len(self.lengths))} {', '.join(map(str, self.lengths))}"
        )


def count_trials(records: Iterable[StoredRecord]) -> list[TrainingCount]:
    """Return the number of trainings of each task that are no final runs, sorted by task."""
    return _counts(stored for stored in records if not is_final(stored.record))


def count_archived_trials(records: Iterable[StoredRecord]) -> list[TrainingCount]:
    """Return the number of trials of each task without those that have evaluation lengths.

    The pages show these others, which have files of their own.
    """
    return _counts(stored for stored in records if not has_own_file(stored.record))


def count_unranked_runs(records: Iterable[StoredRecord]) -> list[TrainingCount]:
    """Return the number of final runs of each unranked benchmark and task, sorted by both."""
    return _counts(
        stored for stored in records if is_final(stored.record) and not stored.record.ranking.ranked
    )


def _counts(records: Iterable[StoredRecord]) -> list[TrainingCount]:
    """Count trainings by benchmark and task; cells that never started do not count."""
    cells = [
        stored.record.cell
        for stored in records
        if stored.record.cell.mode is Mode.TRAIN and stored.record.status is not Status.UNSUPPORTED
    ]
    by_task = grouped(cells, lambda cell: (cell.benchmark or "", str(cell.task)))
    return [
        TrainingCount(
            benchmark=benchmark or None,
            task=task,
            num_trainings=len(of_task),
            lengths=tuple(sorted({cell.sequence_length for cell in of_task})),
            num_architectures=len({cell.architecture for cell in of_task}),
        )
        for (benchmark, task), of_task in sorted(by_task.items())
    ]


def _plural(number: int) -> str:
    return "s" if number > 1 else ""
