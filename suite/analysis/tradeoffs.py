"""Quality against costs: where the costs of a training come from, Pareto fronts and summaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from suite.analysis.boards import Board
from suite.analysis.comparison_key import ComparisonKey, ComparisonKind
from suite.analysis.comparisons import Comparison
from suite.api import Status, Track
from suite.records.measures import QUALITY, metric_of

if TYPE_CHECKING:
    import pandas


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points that no other beats: of both figures, more is better."""

    def is_beaten(quality: float, cost: float) -> bool:
        others = (other for other in points.values() if other != (quality, cost))
        return any(other[0] >= quality and other[1] >= cost for other in others)

    return [name for name, point in points.items() if not is_beaten(*point)]


def comparable_shares(boards: Iterable[Board]) -> dict[str, list[float]]:
    """Return by entry its scores as shares of the best score of each ranked board of quality.

    For metrics of which less is better the share is best / score. All entries have the same boards:
    the most that an entry is on, and among several such sets, that with the most entries.
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
    cut = len(values) / 4
    edges = [min(max(edge, cut), len(values) - cut) for edge in range(len(values) + 1)]
    weights = [high - low for low, high in pairwise(edges)]
    weighted = zip(weights, sorted(values), strict=True)
    return sum(weight * value for weight, value in weighted) / sum(weights)


NOT_RUN = {Status.UNSUPPORTED, Status.SKIPPED}
"""The statuses of cells that did not run at all."""
ENGINE = ("form", "backend", "precision")


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """Quality and a cost of several entries at a length, and the entries on the Pareto front.

    `comparison` is the number of the training, `source` that of the comparison whose costs these
    are.
    """

    comparison: int
    length: int
    measure: str
    source: int
    front: Sequence[str]


def cost_sources(comparisons: Sequence[Comparison], boards: Sequence[Board]) -> list[list[int]]:
    """Return for each comparison the numbers of those that have its costs, the preferred first.

    The costs of a training are those of the standard track with its form, backend and precision:
    first those of its model size, then those with the most of its entries, then those with the most
    ranks on a board, then those of its machine. Costs of one of its entries answer only if no
    others have several. Probes and decodings have their own costs alone.
    """
    ranks: dict[ComparisonKey, int] = {}
    for board in boards:
        ranked = sum(row.rank is not None for row in board.rows)
        ranks[board.key] = max(ranked, ranks.get(board.key, 0))
    ran = [
        {
            entry.name
            for entry in comparison.entries
            if any(record.status not in NOT_RUN for record in entry.records)
        }
        for comparison in comparisons
    ]

    def of(number: int) -> list[int]:
        training = comparisons[number].key
        if training.kind is ComparisonKind.COSTS:
            return []
        found = [
            other
            for other, comparison in enumerate(comparisons)
            if comparison.key.kind is ComparisonKind.COSTS
            and comparison.key.track == Track.STANDARD
            and all(getattr(comparison.key, name) == getattr(training, name) for name in ENGINE)
        ]
        shared = {other: len(ran[other] & ran[number]) for other in found}
        several = [other for other in found if shared[other] > 1]

        def precedence(other: int) -> tuple[bool, int, int, bool]:
            key = comparisons[other].key
            is_here = comparisons[other].measured_on == comparisons[number].measured_on
            same_size = key.model_size == training.model_size
            return same_size, shared[other], ranks.get(key, 0), is_here

        return sorted(several or found, key=precedence, reverse=True)

    return [of(number) for number in range(len(comparisons))]


def tradeoffs(
    comparisons: Sequence[Comparison],
    sources: Sequence[Sequence[int]],
    figures: pandas.DataFrame,
    measures: Sequence[str],
) -> Iterator[Tradeoff]:
    """Yield quality against each cost at each length with both figures of two entries or more.

    `sources` are those of `cost_sources`. `figures` are those of `suite.analysis.frame.to_figures`,
    measured and predicted.
    """
    shown = figures[~figures["disturbed"]]
    columns = ("comparison", "sequence_length", "measure", "entry", "value")
    # A cost of probes has a batch size of its own: the entries at a length are compared.
    values: dict[tuple[int, int, str], dict[str, float]] = {}
    for number, length, measure, entry, value in zip(
        *(shown[name].tolist() for name in columns), strict=True
    ):
        values.setdefault((number, length, measure), {}).setdefault(entry, value)
    for number, length in sorted({place[:2] for place in values if place[2] == QUALITY}):
        scores, metric = values[number, length, QUALITY], comparisons[number].metric
        if metric is None:
            continue
        quality_sign = 1 if metric.higher_is_better else -1
        for measure in measures:
            cost_sign = 1 if metric_of(measure).higher_is_better else -1
            for source in (number, *sources[number]):
                costs = values.get((source, length, measure), {})
                points = {
                    name: (quality_sign * scores[name], cost_sign * costs[name])
                    for name in sorted(scores.keys() & costs.keys())
                }
                if len(points) > 1:
                    front = sorted(pareto_front(points), key=costs.__getitem__)
                    yield Tradeoff(number, length, measure, source, front)
                    break
