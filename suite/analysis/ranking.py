"""Intervals of scores, differences between entries, and ranks.

A score on the test split varies for two reasons: another seed would have trained another model,
and another test split would have held other examples. All models are scored on the same examples,
so the second part does not shrink with more seeds. A record keeps the evidence for both: the score
of each seed, and the scores without each part of the test split (`reports.test.without_part`).

The intervals of one entry and of one difference add Student's t of both levels in quadrature. They
use the entry's own seeds alone, so that other entries never change them, and cover the truth 93 to
97 times in 100 (tests/suite/analysis/test_ranking.py). Two other intervals were tried and do not:

- A variance pooled over the board. Where one of 16 entries varies 5 times as much as the others,
  the interval of this entry covers the truth 46 times in 100.
- The two-level bootstrap. It covers the truth 73 times in 100, because three draws from three seeds
  hardly vary.

Ranks do pool variances (`suite.analysis.separation`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from suite.analysis.estimates import (
    MIN_REPEATS,
    Estimate,
    margin_of_error,
    share_interval,
    variance,
)

Parts = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one entry by seed, and by seed of the parts of the test split.

    `share` says that the scores are shares from 0 to 1. `num_examples` is the number of test
    examples, if it is known.
    """

    by_seed: Mapping[int, float]
    parts: Mapping[int, Parts] = field(default_factory=dict)
    share: bool = False
    num_examples: int | None = None

    def estimate(self) -> Estimate:
        """Return the mean over seeds; it has an interval from three seeds on."""
        seeds = sorted(self.by_seed)
        layout = _Layout(
            [self.by_seed[seed] for seed in seeds], [self.parts.get(seed, ()) for seed in seeds]
        )
        margin = layout.margin()
        if margin is None or not self.share:
            return Estimate.around(layout.mean, margin, len(seeds))
        ends = share_interval(layout.mean, margin, self.num_examples, layout.num_parts)
        return Estimate(layout.mean, *ends, len(seeds))


@dataclass(frozen=True, slots=True)
class Ranked:
    """The rank of one entry; None where it has too few seeds, or none in common with the leader.

    `behind` is the difference to the leader of the rank, and `detectable_difference` the smallest
    difference that would have been separated from it. The leader itself has neither. `ahead` names
    the entry without a rank because of which this entry has none (`only_certain`).
    """

    name: str
    rank: int | None
    estimate: Estimate
    behind: Estimate | None = None
    detectable_difference: float | None = None
    ahead: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranks of a board, the best entry first, and the difference that it can detect.

    `detectable_difference` is the median over entries of the smallest difference to the leader that
    would have been separated; None with fewer than two ranked entries.
    """

    entries: Sequence[Ranked]
    detectable_difference: float | None


def example_margin(parts: Mapping[int, Parts]) -> float:
    """Return the margin of a mean over seeds that the choice of test examples causes.

    `parts` are the scores of the parts of the test split by seed. Without three seeds and two parts
    the margin is 0.
    """
    layout = _Layout([0.0] * len(parts), list(parts.values()))
    return layout.margin() or 0.0  # the scores of the seeds, all 0, add nothing


def difference(first: Scores, second: Scores) -> Estimate:
    """Return `first` minus `second`, paired by seed and by part of the test split.

    `n` is the number of seeds that both have. With fewer than three there is no interval.
    """
    seeds = sorted(set(first.by_seed) & set(second.by_seed))
    if not seeds:
        gap = statistics.fmean(first.by_seed.values()) - statistics.fmean(second.by_seed.values())
        return Estimate(gap)
    layout = _Layout(
        [first.by_seed[seed] - second.by_seed[seed] for seed in seeds],
        [_minus(first.parts.get(seed, ()), second.parts.get(seed, ())) for seed in seeds],
    )
    return Estimate.around(layout.mean, layout.margin(), len(seeds))


def rank(
    entries: Mapping[str, Scores], *, higher_is_better: bool = True, at_least: int = MIN_REPEATS
) -> Ranking:
    """Rank entries: those that are not separated from the best share its rank; then the next best.

    Entries with fewer seeds than `at_least`, or without a seed in common with the best, come last,
    without a rank.
    """
    sign = 1 if higher_is_better else -1
    estimates = {name: scores.estimate() for name, scores in entries.items()}
    best_first = sorted(entries, key=lambda name: (-sign * estimates[name].value, name))
    names = [name for name in best_first if estimates[name].n >= max(at_least, MIN_REPEATS)]
    names = [
        name for name in names if entries[name].by_seed.keys() & entries[names[0]].by_seed.keys()
    ]
    ranked, detectable = _separated({name: entries[name] for name in names}, estimates, sign)
    unranked = [Ranked(name, None, estimates[name]) for name in best_first if name not in names]
    return Ranking([*ranked, *unranked], detectable)


def only_certain(ranking: Ranking, *, higher_is_better: bool) -> Ranking:
    """Return a ranking without the ranks that an entry without a rank may precede.

    An entry with too few repeats has no rank, but its mean may be better than that of the leader of
    a rank. A number there would say that no other entry is better. All entries without a rank
    follow, best first. A ranking that keeps no rank has no detectable difference.
    """
    sign = 1 if higher_is_better else -1
    unranked = [item for item in ranking.entries if item.rank is None]
    if not unranked:
        return ranking
    first = max(unranked, key=lambda item: sign * item.estimate.value)
    leaders: dict[int | None, float] = {}
    for item in ranking.entries:
        value = sign * item.estimate.value
        leaders[item.rank] = max(value, leaders.get(item.rank, value))
    certain = [
        item
        for item in ranking.entries
        if item.rank is not None and leaders[item.rank] >= sign * first.estimate.value
    ]
    names = {item.name for item in certain}
    others = [
        item if item.rank is None else Ranked(item.name, None, item.estimate, ahead=first.name)
        for item in ranking.entries
        if item.name not in names
    ]
    others.sort(key=lambda item: (-sign * item.estimate.value, item.name))
    return Ranking([*certain, *others], ranking.detectable_difference if certain else None)


def _separated(
    entries: Mapping[str, Scores], estimates: Mapping[str, Estimate], sign: int
) -> tuple[list[Ranked], float | None]:
    """Return the ranks of entries that can be ranked, given best first."""
    if len(entries) < 2:
        return [Ranked(name, 1, estimates[name]) for name in entries], None
    # Not at the top: listings need neither numpy nor scipy.
    import numpy as np

    from suite.analysis.separation import separate

    names = list(entries)
    seeds = sorted({seed for scores in entries.values() for seed in scores.by_seed})
    table = [[scores.by_seed.get(seed, math.nan) for seed in seeds] for scores in entries.values()]
    parts = _table_of_parts(list(entries.values()), seeds)
    separation = separate(sign * np.array(table), None if parts is None else sign * np.array(parts))
    ranked = []
    for i in sorted(range(len(names)), key=lambda i: int(separation.rank[i])):
        name, leader, margin = names[i], names[separation.leader[i]], float(separation.margin[i])
        if name == leader:
            ranked.append(Ranked(name, int(separation.rank[i]), estimates[name]))
            continue
        gap = estimates[name].value - estimates[leader].value
        common = len(entries[name].by_seed.keys() & entries[leader].by_seed.keys())
        behind = Estimate.around(gap, margin, common)
        ranked.append(Ranked(name, int(separation.rank[i]), estimates[name], behind, margin))
    return ranked, float(separation.detectable)


def _table_of_parts(
    entries: Sequence[Scores], seeds: Sequence[int]
) -> list[list[list[float]]] | None:
    """Return the parts' scores of all entries and seeds; NaN where an entry has none.

    An entry with another number of parts than most has none of them. Parts that any entry or seed
    lacks are left out. None means that no entry has parts.
    """
    counts = [len(parts) for scores in entries for parts in scores.parts.values() if parts]
    if not counts:
        return None
    num_parts = statistics.mode(counts)
    complete = [
        all(len(scores.parts.get(seed, ())) == num_parts for seed in scores.by_seed)
        for scores in entries
    ]
    if not any(complete):
        return None
    whole = [
        part
        for part in range(num_parts)
        if not any(
            scores.parts[seed][part] is None
            for scores, known in zip(entries, complete, strict=True)
            for seed in scores.by_seed
            if known
        )
    ]
    missing = [math.nan] * len(whole)
    return [
        [
            [float(scores.parts[seed][part] or 0.0) for part in whole]
            if known and seed in scores.by_seed
            else missing
            for seed in seeds
        ]
        for scores, known in zip(entries, complete, strict=True)
    ]


def _minus(first: Parts, second: Parts) -> Parts:
    if len(first) != len(second):
        return ()
    return [
        None if ours is None or theirs is None else ours - theirs
        for ours, theirs in zip(first, second, strict=True)
    ]


@dataclass
class _Layout:
    """Seeds × parts of the test split: the score of each seed, and of each of its parts."""

    by_seed: Sequence[float]
    parts: Sequence[Parts]

    def __post_init__(self) -> None:
        self.mean = statistics.fmean(self.by_seed)
        # Degrees of freedom and standard error of each source of variance; empty for few seeds.
        self.spreads: list[tuple[int, float]] = []
        self.num_parts = 0
        num_seeds = len(self.by_seed)
        if num_seeds >= MIN_REPEATS:
            self.spreads.append((num_seeds - 1, math.sqrt(variance(self.by_seed) / num_seeds)))
            example_variance, self.num_parts = self._example_variance()
            if self.num_parts > 1:
                self.spreads.append((self.num_parts - 1, math.sqrt(example_variance)))

    def margin(self) -> float | None:
        """Return half the width of the interval of the mean; None with too few seeds."""
        if not self.spreads:
            return None
        return math.hypot(*(margin_of_error(*spread) for spread in self.spreads))

    def _example_variance(self) -> tuple[float, int]:
        """Return the variance of the mean that the choice of test examples causes, and the parts.

        This is the variance of the parts' means over seeds, less the residual variance: each seed
        errs on other examples, which the variance over seeds contains already.
        """
        lengths = set(map(len, self.parts))
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
