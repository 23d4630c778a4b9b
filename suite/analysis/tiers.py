"""Tiers: how far a row may be trusted."""

from __future__ import annotations

from enum import StrEnum

from suite.analysis.points import Point
from suite.api import Metric
from suite.records.measures import is_cost
from suite.records.published import Folder


class Tier(StrEnum):
    """How far a row may be trusted."""

    LOCAL = "local"
    REFERENCE = "reference"
    REPRODUCED = "reproduced"
    SELF_REPORTED = "self-reported"


def tier_of(point: Point, metric: Metric) -> tuple[Tier, str]:
    """Return how far a row may be trusted, and a note on the cells that were reproduced.

    A submitted row is reproduced if each of its cells ran again and all runs of the cell agree.
    Costs depend on the machine, so that no row of costs is reproduced.
    """
    folders = {run.folder for run in point.runs}
    if folders & {Folder.LOCAL, Folder.PUBLISHED}:
        return (Tier.REFERENCE if Folder.PUBLISHED in folders else Tier.LOCAL), ""
    if is_cost(metric.name):
        return Tier.SELF_REPORTED, ""
    again = point.reproductions(metric)
    agreeing = sum(run is not None for run in again.values())
    if again and agreeing == len(point.records):
        return Tier.REPRODUCED, "the worst run of each cell counts"
    note = f"{agreeing} of {len(point.records)} cells reproduced" if again else ""
    return Tier.SELF_REPORTED, note
