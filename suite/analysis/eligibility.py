"""Eligibility: which scores of a board have a rank, and why the others have none."""

from __future__ import annotations

from collections.abc import Mapping

from suite.analysis.conformance import why_not_conforming
from suite.analysis.grouping import ComparisonKey
from suite.analysis.points import Point
from suite.analysis.tiers import Tier, tier_of
from suite.api import Metric
from suite.records.measures import is_cost

NOT_REPRODUCED = "not ranked until reproduced"
RANKED_AS = "the entry is ranked as"
"""The reason why a further row of an entry has no rank; the name of the ranked row follows."""


def why_ineligible(
    points: Mapping[str, Point], metric: Metric, key: ComparisonKey
) -> dict[str, str]:
    """Return by row why a point has no rank; "" if it may have one.

    A score needs all seeds of its benchmark, so that no seed can be left out. A submitted score
    must be reproduced. The standard track needs code that passes the conformance kit. A submission
    of an entry that has an eligible row repeats this row and has no rank of its own. The project's
    row comes first, then that of the oldest run. Costs are always eligible.
    """
    if key.why_unranked or is_cost(metric.name):
        return dict.fromkeys(points, key.why_unranked)
    tiers = {line: tier_of(point, metric)[0] for line, point in points.items()}
    found: dict[str, str] = {}
    ranked: dict[str, str] = {}
    for line in sorted(
        points, key=lambda line: (tiers[line] is Tier.REPRODUCED, _age(points[line]))
    ):
        entry = points[line].records[0].ranking.entry
        reason = _missing_seeds(points[line])
        if not reason and tiers[line] is Tier.SELF_REPORTED:
            reason = NOT_REPRODUCED
        reason = reason or why_not_conforming(points[line], key)
        if not reason and tiers[line] is Tier.REPRODUCED and entry in ranked:
            reason = f"{RANKED_AS} {ranked[entry]}"
        if not reason:
            ranked.setdefault(entry, line)
        found[line] = reason
    return found


def _missing_seeds(point: Point) -> str:
    """Return how many seeds of its benchmark a point has; "" if it has all of them."""
    needed = {seed for record in point.records for seed in record.ranking.seeds}
    scored = needed & {record.cell.seed for record in point.good}
    if scored == needed:
        return ""
    return f"{len(scored)} of {len(needed)} seeds: a rank needs all"


def _age(point: Point) -> str:
    return min(record.run_id for record in point.records)
