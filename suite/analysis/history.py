"""How the figures of an entry moved over the commits that measured it, from the records alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate
from suite.analysis.frame import estimate_of
from suite.api import Status
from suite.records.environment import commit_of
from suite.records.measures import QUALITY
from suite.records.schema import RecordSummary

COMMIT_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Moment:
    """The mean of a measure over the runs of one commit, and the day of the first of them.

    `commit` ends in "+" where it had uncommitted changes.
    """

    entry: str
    sequence_length: int
    measure: str
    day: date
    commit: str
    estimate: Estimate


def history(comparison: Comparison, measures: Sequence[str]) -> Iterator[Moment]:
    """Yield the figures of each entry, length and measure that several commits measured.

    `measures` are costs; the primary metric always counts, as `QUALITY`. Superseded runs count: the
    history is that of the code. Disturbed costs do not.
    """
    frame: Any = comparison.frame
    kept = frame[(frame["is_primary"] | frame["measure"].isin(measures)) & ~frame["noisy"]]
    kept = kept.assign(
        shown=kept["measure"].mask(kept["is_primary"], QUALITY),
        commit=[_commit(stored.record) for stored in kept["stored"]],
        day=[stored.record.started_at.date() for stored in kept["stored"]],
    )
    kept = kept[kept["commit"] != ""]
    days = kept.groupby("commit")["day"].min()
    series = kept.groupby(["entry", "sequence_length", "shown"], sort=False)
    for (entry, length, shown), rows in series:
        by_commit = rows.groupby("commit", sort=False)
        for commit, found in by_commit if by_commit.ngroups > 1 else ():
            estimate = estimate_of(found["measure"].iloc[0], found["value"].tolist())
            yield Moment(entry, length, shown, days[commit], commit, estimate)


def _commit(record: RecordSummary) -> str:
    """Return the commit of a run that ended well; "" for others, and where it is unknown."""
    commit = commit_of(record.environment)
    if record.status is not Status.OK or commit is None:
        return ""
    return commit[:COMMIT_DIGITS] + ("+" if record.environment.get("dirty") else "")
