"""Who is better, and how sure is that? Differences over seeds and test examples, ranks, profiles.

A figure on test varies for two reasons: another seed would have trained another model, and another
test split would have held other examples. All models are scored on the same examples, so the second
part does not shrink with more seeds. Both are estimated from what a record keeps: the figure of
each seed, and that of each part of the test split (`reports.test.by_part`).

Both levels resampled with replacement (the two-level bootstrap) were tried first: with three seeds
its intervals cover the truth 73 times in 100 where the seed decides, since three draws from three
seeds hardly vary. Student's t for each level, added in quadrature, covers 95 to 97 times
(tests/suite/test_comparing.py).
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from suite.analysis.statistics import Estimate, margin_of_error, p_value, variance

FALSE_POSITIVES = 0.05
PRECISION = 1e-6
"""How exact a p-value is, as a share of itself."""
Parts = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of one line of a comparison by seed, and of the parts of test by seed."""

    by_seed: Mapping[int, float]
    parts: Mapping[int, Parts] = field(default_factory=dict)

    def estimate(self) -> Estimate:
        """Return the mean over seeds with its interval; none for one seed."""
        seeds = sorted(self.by_seed)
        return _Layout(
            [self.by_seed[seed] for seed in seeds], [self.parts.get(seed, ()) for seed in seeds]
        ).estimate()


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one lies from another, on the seeds that both have.

    `p_value` is the chance of a difference as large between equals; it and the interval are None
    where fewer than two seeds are common.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """One line's place. `rank` is None where one seed, or none in common, cannot be ranked.

    `behind` is the difference to the leader of its rank, None for the leader itself.
    """

    name: str
    rank: int | None
    estimate: Estimate
    behind: Difference | None


def difference(one: Scores, other: Scores) -> Difference:
    """Return `one` minus `other`, paired by seed and by part of test."""
    seeds = sorted(set(one.by_seed) & set(other.by_seed))
    if not seeds:
        gap = statistics.fmean(one.by_seed.values()) - statistics.fmean(other.by_seed.values())
        return Difference(gap, None, None, 0, None)
    layout = _Layout(
        [one.by_seed[seed] - other.by_seed[seed] for seed in seeds],
        [_minus(one.parts.get(seed, ()), other.parts.get(seed, ())) for seed in seeds],
    )
    found = layout.estimate()
    return Difference(found.value, found.low, found.high, found.n, layout.p_value())


def rank(
    lines: Mapping[str, Scores], *, higher_is_better: bool = True, at_least: int = 2
) -> list[Ranked]:
    """Rank lines: all that noise cannot tell from the best share its rank; then the next best.

    Each is compared with the best alone, and the p-values are corrected for their number (Holm
    1979): comparing all pairs at three seeds would make every board one tie. Lines of fewer seeds
    than `at_least` come last, without a rank.
    """
    sign = 1 if higher_is_better else -1
    estimates = {name: scores.estimate() for name, scores in lines.items()}

    def best_first(names: Sequence[str]) -> list[str]:
        return sorted(names, key=lambda name: (-sign * estimates[name].value, name))

    left = best_first([name for name in lines if estimates[name].n >= at_least])
    unranked = [name for name in lines if estimates[name].n < at_least]
    ranked: list[Ranked] = []
    while left:
        leader, *others = left
        gaps = {name: difference(lines[name], lines[leader]) for name in others}
        unranked += [name for name in others if gaps[name].p_value is None]
        others = [name for name in others if gaps[name].p_value is not None]
        p_values = {name: gap.p_value for name, gap in gaps.items() if gap.p_value is not None}
        told_apart = _holm(p_values)
        place = len(ranked) + 1
        ranked.append(Ranked(leader, place, estimates[leader], None))
        ranked += [
            Ranked(name, place, estimates[name], gaps[name])
            for name in others
            if name not in told_apart
        ]
        left = [name for name in others if name in told_apart]
    return ranked + [Ranked(name, None, estimates[name], None) for name in best_first(unranked)]


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle half (Agarwal et al. 2021, section 4.3); ends count in part."""
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
    """Return, by line, in which part of the comparisons it reaches each share of the best.

    (Dolan and Moré 2002; Agarwal et al. 2021, section 4.2.) `scores` are shares of the best of
    each comparison, in one order for all lines.
    """
    ordered = {name: sorted(values) for name, values in scores.items() if values}
    return {
        name: [(len(values) - bisect_left(values, share)) / len(values) for share in shares]
        for name, values in ordered.items()
    }


def _holm(p_values: Mapping[str, float]) -> set[str]:
    """Return those whose p-value stands when there are so many of them."""
    found: set[str] = set()
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for index, (name, chance) in enumerate(ordered):
        if chance * (len(ordered) - index) > FALSE_POSITIVES:
            break
        found.add(name)
    return found


def _minus(one: Parts, other: Parts) -> Parts:
    if len(one) != len(other):
        return ()
    return [
        None if ours is None or theirs is None else ours - theirs
        for ours, theirs in zip(one, other, strict=True)
    ]


@dataclass
class _Layout:
    """Seeds × parts of test: the figures by seed, and of each seed the figures by part."""

    by_seed: Sequence[float]
    parts: Sequence[Parts]

    def __post_init__(self) -> None:
        self.mean = statistics.fmean(self.by_seed)
        # Degrees of freedom and standard error of each thing the mean hangs on: none for one seed.
        self.spreads: list[tuple[int, float]] = []
        num_seeds = len(self.by_seed)
        if num_seeds > 1:
            self.spreads.append((num_seeds - 1, math.sqrt(variance(self.by_seed) / num_seeds)))
            example_variance, num_parts = self._of_examples()
            if num_parts > 1:
                self.spreads.append((num_parts - 1, math.sqrt(example_variance)))

    def estimate(self) -> Estimate:
        n = len(self.by_seed)
        if not self.spreads:
            return Estimate(self.mean, None, None, n)
        half = self._half_width(FALSE_POSITIVES)
        return Estimate(self.mean, self.mean - half, self.mean + half, n)

    def p_value(self) -> float | None:
        """Return the chance whose interval just reaches 0, None for one seed."""
        if not self.spreads:
            return None
        away = abs(self.mean)
        if away == 0:
            return 1.0

        def chance_of_one(distance: float) -> float:
            return max(p_value(freedom, distance, error) for freedom, error in self.spreads)

        low = chance_of_one(away)
        if len(self.spreads) == 1:
            return low
        # Two half widths of a 1/√2 of the way each come to all of it, together.
        high = chance_of_one(away / math.sqrt(2))
        while high - low > PRECISION * high:
            chance = (low + high) / 2
            low, high = (chance, high) if self._half_width(chance) > away else (low, chance)
        return high

    def _half_width(self, chance: float) -> float:
        """Return the half width of an interval that misses with this chance."""
        return math.hypot(*(margin_of_error(*spread, chance) for spread in self.spreads))

    def _of_examples(self) -> tuple[float, int]:
        """Return the variance of the mean that the choice of test examples makes, and the parts.

        It is that of the parts' means over seeds, less what they vary because each seed errs on
        other examples: that is in the seeds' variance already.
        """
        lengths = {len(parts) for parts in self.parts}
        if len(lengths) != 1 or lengths == {0}:
            return 0.0, 0
        whole = [
            [float(value) for value in part if value is not None]
            for part in zip(*self.parts, strict=True)
            if None not in part
        ]
        num_seeds, num_parts = len(self.by_seed), len(whole)
        if num_parts < 2:
            return 0.0, 0
        of_parts = [statistics.fmean(part) for part in whole]
        between = variance(of_parts)
        of_seeds = [statistics.fmean(parts) for parts in zip(*whole, strict=True)]
        mean = statistics.fmean(of_parts)
        residual = sum(
            (value - of_parts[row] - of_seeds[seed] + mean) ** 2
            for row, part in enumerate(whole)
            for seed, value in enumerate(part)
        ) / ((num_seeds - 1) * (num_parts - 1))
        return max(0.0, between - residual / num_seeds) / num_parts, num_parts
