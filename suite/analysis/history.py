"""How the figures of an entry moved over the commits that measured it, from the records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from suite.analysis.comparison_key import grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate
from suite.analysis.frame import estimate_of
from suite.api import Status
from suite.records.measures import QUALITY

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
    frame = comparison.frame
    kept = frame[(frame["is_primary"] | frame["measure"].isin(measures)) & ~frame["noisy"]]
    columns = ["entry", "sequence_length", "measure", "is_primary", "value", "stored"]
    rows = [row for row in kept[columns].to_dict("records") if _commit(row)]
    days = {
        commit: min(row["stored"].record.started_at for row in of_commit).date()
        for commit, of_commit in grouped(rows, _commit).items()
    }
    for (entry, length, measure), series in grouped(rows, _place).items():
        by_commit = grouped(series, _commit)
        if len(by_commit) < 2:
            continue
        for commit, found in by_commit.items():
            estimate = estimate_of(found[0]["measure"], [row["value"] for row in found])
            yield Moment(entry, length, measure, days[commit], commit, estimate)


def _place(row: Mapping[Any, Any]) -> tuple[str, int, str]:
    measure = QUALITY if row["is_primary"] else row["measure"]
    return row["entry"], row["sequence_length"], measure


def _commit(row: Mapping[Any, Any]) -> str:
    record = row["stored"].record
    commit = str(record.environment.get("commit") or "")
    if record.status is not Status.OK or not commit or commit == "unknown":
        return ""
    return commit[:COMMIT_DIGITS] + ("+" if record.environment.get("dirty") else "")
