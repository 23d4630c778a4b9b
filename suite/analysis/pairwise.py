"""Pairs of entries: which is better at each length, and where one overtakes the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from suite.analysis.bisection import find_crossing, pair_up
from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import MIN_REPEATS, Estimate, exponential
from suite.analysis.ranking import Scores, difference
from suite.records.measures import QUALITY, metric_of


@dataclass(frozen=True, slots=True)
class PairDifference:
    """How two entries differ at one length: `first` minus `second`, for costs their ratio.

    Scores are paired by seed and test example, costs by seed (probes: by round). `better` is the
    entry that is significantly better; None without a significant difference.
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
    """Compare every two entries at each length, in the primary metric and in costs.

    Two entries with fewer than `MIN_REPEATS` seeds in common are left out: their difference has no
    interval.
    """
    better_if_higher = {cost: metric_of(cost).higher_is_better for cost in costs}
    if comparison.metric:
        better_if_higher = {QUALITY: comparison.metric.higher_is_better, **better_if_higher}
    found = []
    for (length, batch_size), of_place in comparison.by_place().items():
        entries = [entry for entry in of_place if len(entry.runs) >= MIN_REPEATS]
        for measure, higher_is_better in better_if_higher.items():
            known = {entry.name: scores for entry in entries if (scores := _scores(entry, measure))}
            for first, second in combinations(sorted(known), 2):
                common = known[first].by_seed.keys() & known[second].by_seed.keys()
                if len(common) < MIN_REPEATS:
                    continue
                gap = difference(known[first], known[second])
                estimate = gap if measure == QUALITY else exponential(gap)
                better = _better(gap, first, second, higher_is_better)
                found.append(
                    PairDifference(measure, length, batch_size, first, second, estimate, better)
                )
    return found


def pair_crossings(comparison: Comparison, measure: str) -> Iterator[PairCrossing]:
    """Yield for every two entries where they overtake each other, within the measured lengths."""
    sign = 1 if metric_of(measure).higher_is_better else -1
    values: dict[str, dict[int, dict[int, float]]] = {}
    for entry in comparison.entries:
        if costs := entry.costs(measure):
            logs = {repeat: sign * math.log(value) for repeat, value in costs.items()}
            values.setdefault(entry.name, {}).setdefault(entry.sequence_length, {}).update(logs)
    for first, second in combinations(sorted(values), 2):
        known = pair_up(values[first], values[second])
        if len(known) < 2:
            continue
        behind, ahead = first, second
        if median(known[min(known)].values()) > 0:  # the second is ahead from the start
            behind, ahead = second, first
            known = {
                length: {repeat: -lead for repeat, lead in leads.items()}
                for length, leads in known.items()
            }
        crossing = find_crossing(known.__getitem__, list(known), (behind, ahead), halves=False)
        changes = [change.length for change in crossing.changes]
        yield PairCrossing(measure, behind, ahead, changes, min(known), max(known))


def _better(gap: Estimate, first: str, second: str, higher_is_better: bool) -> str | None:
    """Return the entry that is significantly better; `gap` is of scores or logarithms of costs."""
    if gap.low is None or gap.high is None or gap.low <= 0 <= gap.high:
        return None
    return first if (gap.value > 0) is higher_is_better else second


def _scores(entry: EntryAtLength, measure: str) -> Scores | None:
    scores = entry.scores() if measure == QUALITY else entry.log_scores(measure)
    return scores if scores.by_seed else None
