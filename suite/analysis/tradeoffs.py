"""Quality against costs: where the costs of a training come from, Pareto fronts and summaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from suite.analysis.boards import Board
from suite.analysis.comparison_key import ComparisonKey, ComparisonKind
from suite.analysis.comparisons import Comparison
from suite.api import Status, Track
from suite.records.measures import QUALITY, metric_of

if TYPE_CHECKING:
    import pandas


def pareto_front(
    figures: pandas.DataFrame, measure: str, *, higher_is_better: bool
) -> pandas.DataFrame:
    """Return the figures that no other entry at a length beats in both quality and a cost, by cost.

    `figures` are those of one comparison (`suite.analysis.frame.to_figures`). Disturbed costs are
    left out.
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
    """Yield quality against each cost at each length with a score of two entries or more.

    `sources` are those of `cost_sources`. `figures` are those of `suite.analysis.frame.to_figures`,
    measured and predicted.
    """
    wanted = figures[figures["measure"].isin([QUALITY, *measures]) & ~figures["disturbed"]]
    # A cost of probes has a batch size of its own: the entries at a length are compared.
    tables: Mapping[Any, pandas.DataFrame] = {
        place: rows.drop_duplicates("entry").assign(batch_size=0)
        for place, rows in wanted.groupby(["comparison", "sequence_length", "measure"])
    }
    for (number, length, measure), scores in tables.items():
        metric = comparisons[number].metric
        if measure != QUALITY or metric is None or len(scores) < 2:
            continue
        for cost in measures:
            for source in (number, *sources[number]):
                costs = tables.get((source, length, cost))
                shared = set() if costs is None else set(costs["entry"]) & set(scores["entry"])
                if costs is None or len(shared) < 2:
                    continue
                import pandas

                both = pandas.concat([scores, costs])
                front = pareto_front(both, cost, higher_is_better=metric.higher_is_better)
                entries = [str(name) for name in front.index.get_level_values("entry")]
                yield Tradeoff(number, length, cost, source, entries)
                break
