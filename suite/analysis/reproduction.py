"""Runs that reproduce submitted ones: which count, and when their scores agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from suite.api import PROTOCOL, Metric, Status
from suite.records.published import Folder, StoredRecord
from suite.records.schema import RecordSummary

Verifying = Mapping[str, Sequence[RecordSummary]]
"""By cell, the successful runs that may verify a submitted record, the oldest first."""
TOLERANCE = 0.02
"""A score is reproduced if another run of the cell comes within this share of it."""


def verifying_runs(records: Iterable[StoredRecord]) -> Verifying:
    """Return the runs that may verify others, by cell."""
    found: dict[str, list[RecordSummary]] = {}
    for stored in records:
        record = stored.record
        if (
            stored.folder in (Folder.VERIFIED, Folder.PUBLISHED)
            and record.protocol == PROTOCOL
            and record.status is Status.OK
        ):
            found.setdefault(record.cell_id, []).append(record)
    return {cell: sorted(runs, key=lambda run: run.run_id) for cell, runs in found.items()}


def scores_agree(
    one: RecordSummary, other: RecordSummary, metric: Metric, split: str = "test"
) -> bool:
    """Return whether two runs of a cell had the same data and scores within `TOLERANCE`."""
    if not had_same_data(one, other):
        return False
    first, second = one.metric(metric.name, split), other.metric(metric.name, split)
    if first is None or second is None:
        return False
    return abs(first - second) <= TOLERANCE * abs(first)


def had_same_data(one: RecordSummary, other: RecordSummary) -> bool:
    """Return whether two trainings had the same raw examples."""
    return bool(one.fingerprint) and one.fingerprint == other.fingerprint
