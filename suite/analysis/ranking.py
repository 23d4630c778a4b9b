"""Differences between entries over seeds and test examples, and ranks.

A score on the test split varies for two reasons: another seed would have trained another model,
and another test split would have held other examples. All models are scored on the same examples,
so the second part does not shrink with more seeds. A record keeps the evidence for both: the score
of each seed, and the scores of the parts of the test split (`reports.test.by_part`).

The intervals add Student's t of both levels in quadrature. They cover the truth 95 to 97 times in
100 (tests/suite/analysis/test_ranking.py). The two-level bootstrap was tried first: with three
seeds its intervals cover 73 times in 100, because three draws from three seeds hardly vary.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from suite.analysis.statistics import Estimate, margin_of_error, p_value, variance

FALSE_POSITIVES = 0.05
PRECISION = 1e-6
"""The relative precision of a p-value."""
Parts = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one entry by seed, and by seed of the parts of the test split."""

    by_seed: Mapping[int, float]
    parts: Mapping[int, Parts] = field(default_factory=dict)

    def estimate(self) -> Estimate:
        """Return the mean over seeds; one seed has no interval."""
        seeds = sorted(self.by_seed)
        return _Layout(
            [self.by_seed[seed] for seed in seeds], [self.parts.get(seed, ()) for seed in seeds]
        ).estimate()


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two entries on the seeds that both have.

    `p_value` is the probability of a difference at least as large between equal entries. With fewer
    than two common seeds there is no interval and no p-value.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """The rank of one entry; None where it has too few seeds, or none in common with the leader.

    `behind` is the difference to the leader of the rank; the leader itself has none.
    """

    name: str
    rank: int | None
    estimate: Estimate
    behind: Difference | None


def difference(one: Scores, other: Scores) -> Difference:
    """Return `one` minus `other`, paired by seed and by part of the test split."""
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
    """Rank entries: those that are not separated from the best share its rank; then the next best.

    Each entry is compared with the best alone, and the p-values are corrected for their number
    (Holm 1979): comparing all pairs would make every board with three seeds one tie. Entries with
    fewer seeds than `at_least` come last, without a rank.
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
        separated = _holm(p_values)
        place = len(ranked) + 1
        ranked.append(Ranked(leader, place, estimates[leader], None))
        ranked += [
            Ranked(name, place, estimates[name], gaps[name])
            for name in others
            if name not in separated
        ]
        left = [name for name in others if name in separated]
    return ranked + [Ranked(name, None, estimates[name], None) for name in best_first(unranked)]


def _holm(p_values: Mapping[str, float]) -> set[str]:
    """Return the names whose p-values are significant after Holm's correction."""
    found: set[str] = set()
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for index, (name, value) in enumerate(ordered):
        if value * (len(ordered) - index) > FALSE_POSITIVES:
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
    """Seeds × parts of the test split: the score of each seed, and of each of its parts."""

    by_seed: Sequence[float]
    parts: Sequence[Parts]

    def __post_init__(self) -> None:
        self.mean = statistics.fmean(self.by_seed)
        # Degrees of freedom and standard error of each source of variance; empty for one seed.
        self.spreads: list[tuple[int, float]] = []
        num_seeds = len(self.by_seed)
        if num_seeds > 1:
            self.spreads.append((num_seeds - 1, math.sqrt(variance(self.by_seed) / num_seeds)))
            example_variance, num_parts = self._example_variance()
            if num_parts > 1:
                self.spreads.append((num_parts - 1, math.sqrt(example_variance)))

    def estimate(self) -> Estimate:
        n = len(self.by_seed)
        if not self.spreads:
            return Estimate(self.mean, None, None, n)
        half = self._margin(FALSE_POSITIVES)
        return Estimate(self.mean, self.mean - half, self.mean + half, n)

    def p_value(self) -> float | None:
        """Return the probability whose interval just reaches 0; None for one seed."""
        if not self.spreads:
            return None
        away = abs(self.mean)
        if away == 0:
            return 1.0

        def largest_p_value(distance: float) -> float:
            return max(p_value(freedom, distance, error) for freedom, error in self.spreads)

        low = largest_p_value(away)
        if len(self.spreads) == 1:
            return low
        # Two margins of 1/√2 of the distance each add up to the distance in quadrature.
        high = largest_p_value(away / math.sqrt(2))
        while high - low > PRECISION * high:
            chance = (low + high) / 2
            low, high = (chance, high) if self._margin(chance) > away else (low, chance)
        return high

    def _margin(self, chance: float) -> float:
        """Return the margin of an interval that misses the truth with this probability."""
        return math.hypot(*(margin_of_error(*spread, chance) for spread in self.spreads))

    def _example_variance(self) -> tuple[float, int]:
        """Return the variance of the mean that the choice of test examples causes, and the parts.

        This is the variance of the parts' means over seeds, less the residual variance: each seed
        errs on other examples, which the variance over seeds contains already.
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
