"""Pairs of entries: which is better at each length, and where one overtakes the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from suite.analysis.bisection import find_crossing, pair_up
from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import MIN_REPEATS, Estimate, exponential
from suite.analysis.ranking import difference
from suite.records.measures import QUALITY, metric_of


@dataclass(frozen=True, slots=True)
class PairDifference:
    """How two entries differ at one length: `first` minus `second`, for costs their ratio.

    Scores are paired by seed and test example, costs by seed or round. `better` is None without a
    significant difference.
    """

    measure: str
    sequence_length: int
    batch_size: int
    first: str
    second: str
    estimate: Estimate
    better: str | None


@dataclass(frozen=True, slots=True)
class PairCrossing:
    """The lengths at which two entries overtake each other in a measure.

    `ahead` overtakes `behind` at the first of `changes`, is overtaken at the second, and so on.
    Without changes, `behind` is better at every length.
    """

    measure: str
    behind: str
    ahead: str
    changes: Sequence[Estimate]
    shortest: int
    longest: int


def pair_differences(comparison: Comparison, costs: Iterable[str]) -> list[PairDifference]:
    """Compare every two entries with `MIN_REPEATS` seeds in common, in scores and in costs."""
    better_if_higher = {cost: metric_of(cost).higher_is_better for cost in costs}
    if comparison.metric:
        better_if_higher = {QUALITY: comparison.metric.higher_is_better, **better_if_higher}
    differences = []
    for place, of_place in comparison.by_place().items():
        entries = [entry for entry in of_place if len(entry.runs) >= MIN_REPEATS]
        for measure, higher_is_better in better_if_higher.items():
            known = {
                entry.name: entry.scores() if measure == QUALITY else entry.log_scores(measure)
                for entry in entries
            }
            for first, second in combinations(sorted(known), 2):
                if len(known[first].by_seed.keys() & known[second].by_seed.keys()) >= MIN_REPEATS:
                    gap = difference(known[first], known[second])
                    estimate = gap if measure == QUALITY else exponential(gap)
                    better = None
                    if gap.is_beyond_noise:
                        better = first if (gap.value > 0) is higher_is_better else second
                    differences.append(
                        PairDifference(measure, *place, first, second, estimate, better)
                    )
    return differences


def pair_crossings(comparison: Comparison, measure: str) -> Iterator[PairCrossing]:
    """Yield for every two entries where they overtake each other, within the measured lengths."""
    sign = 1 if metric_of(measure).higher_is_better else -1
    values: dict[str, dict[int, dict[int, float]]] = {}
    for entry in comparison.entries:
        if logs := entry.log_scores(measure).by_seed:
            of_length = values.setdefault(entry.name, {}).setdefault(entry.sequence_length, {})
            of_length |= {repeat: sign * value for repeat, value in logs.items()}
    for pair in combinations(sorted(values), 2):
        behind, ahead = pair
        known = pair_up(values[behind], values[ahead])
        if len(known) < 2:
            continue
        if median(known[min(known)].values()) > 0:  # the second is ahead from the start
            ahead, behind = pair
            known = pair_up(values[behind], values[ahead])
        crossing = find_crossing(known.__getitem__, list(known), (behind, ahead), halves=False)
        changes = [change.length for change in crossing.changes]
        yield PairCrossing(measure, behind, ahead, changes, min(known), max(known))
