"""How many trials exist of each task: what a page may say of trials, which are no results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from suite.api import Mode
from suite.records.published import StoredRecord, has_own_file


@dataclass(frozen=True, slots=True)
class TrialCount:
    """The trials of one task: their number, their lengths, and how many architectures they try."""

    task: str
    num_trials: int
    lengths: tuple[int, ...]
    num_architectures: int

    def __str__(self) -> str:
        trials = f"{self.num_trials:,} trial{'s' if self.num_trials > 1 else ''}"
        many = "s" if self.num_architectures > 1 else ""
        lengths = (
            f"length{'s' if len(self.lengths) > 1 else ''} {', '.join(map(str, self.lengths))}"
        )
        return f"{trials} of {self.num_architectures} architecture{many} at {lengths}"


def count_trials(records: Iterable[StoredRecord]) -> list[TrialCount]:
    """Return the number of trials of each task, sorted by task.

    A trial is no final run, and no other training with evaluation lengths.
    """
    found: dict[str, list[StoredRecord]] = {}
    for stored in records:
        cell = stored.record.cell
        if cell.mode is Mode.TRAIN and not has_own_file(stored.record):
            found.setdefault(str(cell.task), []).append(stored)
    return [
        TrialCount(
            task=task,
            num_trials=len(of_task),
            lengths=tuple(sorted({stored.record.cell.sequence_length for stored in of_task})),
            num_architectures=len({stored.record.cell.architecture for stored in of_task}),
        )
        for task, of_task in sorted(found.items())
    ]
