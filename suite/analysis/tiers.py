"""Tiers: how far a row may be trusted, and which runs reproduce a submitted one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from suite.analysis.costs import COSTS
from suite.analysis.points import Point
from suite.api import PROTOCOL, Metric, Status
from suite.records.published import Folder, StoredRecord
from suite.records.schema import RecordSummary

Verifying = dict[str, list[RecordSummary]]
"""By cell, the successful runs that may verify a submitted record."""
TOLERANCE = 0.02
"""A score is reproduced where another run comes within this share of it."""


class Tier(StrEnum):
    """How far a row may be trusted."""

    LOCAL = "local"
    REFERENCE = "reference"
    REPRODUCED = "reproduced"
    SELF_REPORTED = "self-reported"


def verifying_runs(records: Iterable[StoredRecord]) -> Verifying:
    """Return the runs that may verify others, by cell."""
    found: Verifying = {}
    for stored in records:
        record = stored.record
        if (
            stored.folder in (Folder.VERIFIED, Folder.PUBLISHED)
            and record.protocol == PROTOCOL
            and record.status is Status.OK
        ):
            found.setdefault(record.cell_id, []).append(record)
    return found


def tier_of(point: Point, metric: Metric, verifying: Verifying) -> tuple[Tier, str]:
    """Return how far a row may be trusted, and a note on the cells that were reproduced.

    A submitted row is reproduced if each of its cells ran again and all scores of the cell agree.
    Costs depend on the machine, so that no row of costs is reproduced.
    """
    folders = {run.folder for run in point.runs}
    if folders & {Folder.LOCAL, Folder.PUBLISHED}:
        return (Tier.REFERENCE if Folder.PUBLISHED in folders else Tier.LOCAL), ""
    if metric.name in COSTS:
        return Tier.SELF_REPORTED, ""
    again = [
        all(_agrees(record, other, metric) for other in verifying[record.cell_id])
        for record in point.records
        if record.cell_id in verifying
    ]
    if again and len(again) == len(point.records) and all(again):
        return Tier.REPRODUCED, ""
    note = f"{sum(again)} of {len(point.records)} cells reproduced" if again else ""
    return Tier.SELF_REPORTED, note


def why_self_reported(point: Point, metric: Metric, verifying: Verifying) -> str:
    """Return the reason why a self-reported score has no rank; "" for any other figure."""
    if metric.name in COSTS or tier_of(point, metric, verifying)[0] is not Tier.SELF_REPORTED:
        return ""
    return "not ranked until reproduced"


def _agrees(one: RecordSummary, other: RecordSummary, metric: Metric) -> bool:
    """Return whether the scores of two runs of a cell lie within `TOLERANCE` of each other."""
    first, second = one.metric(metric.name), other.metric(metric.name)
    if first is None or second is None:
        return False
    return abs(first - second) <= TOLERANCE * abs(first)
