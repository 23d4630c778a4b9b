"""Pareto fronts of quality and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite.analysis.aggregate import Comparison


@dataclass(frozen=True, slots=True)
class QualityAndCost:
    """The score and a cost of one entry at one length."""

    entry: str
    sequence_length: int
    quality: float
    cost: float


def pareto_front(
    comparison: Comparison, measure: str, *, higher_cost_is_better: bool
) -> list[QualityAndCost]:
    """Return the points that no other point beats in both quality and cost, by cost.

    The points are all entries at all lengths that have a score and a quiet cost.
    """
    points = [
        QualityAndCost(point.entry, point.sequence_length, score.value, cost.value)
        for point in comparison.points
        if (score := point.score()) and (cost := point.cost(measure))
    ]
    better = comparison.metric.higher_is_better if comparison.metric else True
    front = [one for one in points if not _is_beaten(one, points, better, higher_cost_is_better)]
    return sorted(front, key=lambda one: one.cost)


def _is_beaten(
    one: QualityAndCost,
    others: Sequence[QualityAndCost],
    higher_quality: bool,
    higher_cost: bool,
) -> bool:
    """Return whether another point is at least as good in both respects and better in one."""

    def utilities(point: QualityAndCost) -> tuple[float, float]:
        return (
            point.quality if higher_quality else -point.quality,
            point.cost if higher_cost else -point.cost,
        )

    quality, cost = utilities(one)
    return any(
        q >= quality and c >= cost and (q, c) != (quality, cost) for q, c in map(utilities, others)
    )
