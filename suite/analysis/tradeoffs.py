"""Summaries over entries: Pareto fronts, performance profiles and interquartile means."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suite.analysis.boards import Board
from suite.analysis.comparisons import Comparison
from suite.api import Mode


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


def shares_of_best(boards: Sequence[Board]) -> dict[str, list[float]]:
    """Return by entry its scores as shares of the best score of each board of quality.

    For metrics of which less is better the share is best / score. An entry has a share for each
    board that it is on.
    """
    shares: dict[str, list[float]] = {}
    for board in boards:
        values = {
            row.line: row.estimate.value
            for row in board.rows
            if row.estimate and not row.superseded_by
        }
        higher = board.metric.higher_is_better
        best = (max if higher else min)(values.values(), default=0)
        if board.key.mode is not Mode.TRAIN or len(values) < 2 or best <= 0:
            continue
        for line, value in values.items():
            shares.setdefault(line, []).append(value / best if higher else best / value)
    return shares


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle half of values (Agarwal et al. 2021, section 4.3)."""
    ordered = sorted(values)
    cut = len(ordered) / 4
    total = weight = 0.0
    for index, value in enumerate(ordered):
        share = max(0.0, min(index + 1, len(ordered) - cut) - max(index, cut))
        total += share * value
        weight += share
    return total / weight


def performance_profile(
    scores: Mapping[str, Sequence[float]], shares: Sequence[float]
) -> dict[str, list[float]]:
    """Return, by entry, the fraction of boards on which it reaches each share of the best score.

    `scores` are shares of the best score of each board (Dolan and Moré 2002; Agarwal et al. 2021,
    section 4.2).
    """
    ordered = {name: sorted(values) for name, values in scores.items() if values}
    return {
        name: [(len(values) - bisect_left(values, share)) / len(values) for share in shares]
        for name, values in ordered.items()
    }
