"""Eligibility: which scores of a board have a rank, and why the others have none."""

from __future__ import annotations

from collections.abc import Mapping

from suite.analysis.conformance import why_not_conforming
from suite.analysis.grouping import ComparisonKey
from suite.analysis.points import Point
from suite.api import Metric
from suite.records.measures import is_cost


def why_ineligible(
    points: Mapping[str, Point], metric: Metric, key: ComparisonKey
) -> dict[str, str]:
    """Return by entry why a point has no rank; "" if it may have one.

    A score needs all seeds of its benchmark, so that no seed can be left out. The standard track
    needs code that passes the conformance kit. Costs are always eligible.
    """
    if key.why_unranked or is_cost(metric.name):
        return dict.fromkeys(points, key.why_unranked)
    return {
        entry: _missing_seeds(point) or why_not_conforming(point, key)
        for entry, point in points.items()
    }


def _missing_seeds(point: Point) -> str:
    """Return how many seeds of its benchmark a point has; "" if it has all of them."""
    needed = {seed for record in point.records for seed in record.ranking.seeds}
    scored = needed & {record.cell.seed for record in point.good}
    if scored == needed:
        return ""
    return f"{len(scored)} of {len(needed)} seeds: a rank needs all"
