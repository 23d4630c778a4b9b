"""Summaries over entries: Pareto fronts, shares of the best scores, and interquartile means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from suite.analysis.boards import Board
from suite.analysis.comparison_key import ComparisonKind
from suite.records.measures import QUALITY, metric_of

if TYPE_CHECKING:
    import pandas


def pareto_front(
    figures: pandas.DataFrame, measure: str, *, higher_is_better: bool
) -> pandas.DataFrame:
    """Return the figures that no other entry at a length beats in both quality and cost, by cost.

    Disturbed costs are left out.

    Args:
        figures: those of one comparison (`suite.analysis.frame.to_figures`).
        measure: the cost.
        higher_is_better: whether a higher score is better.
    """
    import numpy as np

    place = ["entry", "sequence_length", "batch_size"]
    wanted = figures[figures["measure"].isin([QUALITY, measure]) & ~figures["disturbed"]]
    known = wanted.pivot(index=place, columns="measure", values="value")
    known = known.reindex(columns=[QUALITY, measure]).dropna()
    quality = known[QUALITY].to_numpy() * (1 if higher_is_better else -1)
    cost = known[measure].to_numpy() * (1 if metric_of(measure).higher_is_better else -1)
    at_least = (quality[:, None] >= quality) & (cost[:, None] >= cost)
    better = (quality[:, None] > quality) | (cost[:, None] > cost)
    is_dominated = np.any(at_least & better, axis=0)
    front = known.iloc[np.flatnonzero(~is_dominated)]
    return front.sort_values(by=measure, kind="stable")


def comparable_shares(boards: Iterable[Board]) -> dict[str, list[float]]:
    """Return by entry its scores as shares of the best score of each ranked board of quality.

    For metrics of which less is better the share is best / score. The boards are the most that an
    entry is on; among several such sets, the set with the most entries. Shares over different
    boards cannot be compared: some boards have weak rivals.
    """
    shares: dict[str, dict[int, float]] = {}
    for number, board in enumerate(boards):
        values = {row.entry: row.estimate.value for row in board.valid if row.estimate}
        higher = board.metric.higher_is_better
        best = (max if higher else min)(values.values(), default=0)
        is_ranked = board.key.kind is ComparisonKind.FINAL and not board.key.unranked_reason
        if is_ranked and len(values) > 1 and best > 0:
            for entry, value in values.items():
                share = value / best if higher else best / value
                shares.setdefault(entry, {})[number] = share
    sets = Counter(map(tuple, shares.values()))
    common = max(sets, key=lambda numbers: (len(numbers), sets[numbers]), default=())
    return {entry: [*own.values()] for entry, own in shares.items() if tuple(own) == common}


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
