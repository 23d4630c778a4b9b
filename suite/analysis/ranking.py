"""Intervals of scores, differences between entries, and ranks.

A score on the test split varies for two reasons: another seed would have trained another model,
and another test split would have held other examples. All models are scored on the same examples,
so the second part does not shrink with more seeds. A record keeps the evidence for both: the score
of each seed, and the scores without each part of the test split (`reports.test.without_part`).

The intervals of one entry and of one difference add Student's t of both levels in quadrature. They
use the entry's own seeds alone, and cover the truth 93 to 97 times in 100. Two other intervals do
not: a variance pooled over the board (46 times in 100, where one of 16 entries varies 5 times as
much as the others), and the two-level bootstrap (73 times in 100, because three draws from three
seeds hardly vary). Ranks do pool variances (`suite.analysis.separation`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from suite.analysis.estimates import (
    MIN_REPEATS,
    Estimate,
    margin_of_error,
    margin_of_mean,
    share_interval,
    variance,
)

if TYPE_CHECKING:
    from suite.analysis.separation import Array

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
        values = [self.by_seed[seed] for seed in seeds]
        mean = statistics.fmean(values)
        margin, num_parts = _margin(values, [self.parts.get(seed, ()) for seed in seeds])
        if margin is None or not self.share:
            return Estimate.around(mean, margin, len(seeds))
        ends = share_interval(mean, margin, self.num_examples, num_parts)
        return Estimate(mean, *ends, len(seeds))


@dataclass(frozen=True, slots=True)
class Ranked:
    """The rank of one entry; None where it has too few seeds, or none in common with the leader.

    `detectable_difference` is the smallest difference to the leader of the rank that would have
    been separated; the leader has none. `ahead` names the entry without a rank because of which
    this entry has none (`only_certain`).
    """

    name: str
    rank: int | None
    estimate: Estimate
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


def example_margin(parts: Collection[Parts]) -> tuple[float, int]:
    """Return the margin of a mean over seeds that the choice of test examples causes.

    `parts` are the scores of the parts of the test split, one sequence for each seed. The second
    value is the number of parts that all seeds have. Without three seeds and two parts, both are 0.

    The variance is that of the parts' means over seeds, less the residual variance: each seed errs
    on other examples, which the variance over seeds contains already.
    """
    has_same_parts = len(set(map(len, parts))) == 1
    whole = [
        [float(value) for value in part if value is not None]
        for part in (zip(*parts, strict=True) if has_same_parts else ())
        if None not in part
    ]
    num_seeds, num_parts = len(parts), len(whole)
    if num_seeds < MIN_REPEATS or num_parts < 2:
        return 0.0, 0
    of_parts = [statistics.fmean(part) for part in whole]
    of_seeds = [statistics.fmean(seed) for seed in zip(*whole, strict=True)]
    mean = statistics.fmean(of_parts)
    residual = sum(
        (value - of_parts[row] - of_seeds[seed] + mean) ** 2
        for row, part in enumerate(whole)
        for seed, value in enumerate(part)
    ) / ((num_seeds - 1) * (num_parts - 1))
    of_mean = max(0.0, variance(of_parts) - residual / num_seeds) / num_parts
    return margin_of_error(num_parts - 1, math.sqrt(of_mean)), num_parts


def _margin(by_seed: Sequence[float], parts: Sequence[Parts]) -> tuple[float | None, int]:
    """Return half the interval of a mean over seeds, and the number of parts that it is made of."""
    of_seeds = margin_of_mean(by_seed)
    if of_seeds is None:
        return None, 0
    of_examples, num_parts = example_margin(parts)
    return math.hypot(of_seeds, of_examples), num_parts


def difference(first: Scores, second: Scores) -> Estimate:
    """Return `first` minus `second`, paired by seed and by part of the test split.

    `n` is the number of seeds that both have. With fewer than three there is no interval.
    """
    seeds = sorted(set(first.by_seed) & set(second.by_seed))
    if not seeds:
        gap = statistics.fmean(first.by_seed.values()) - statistics.fmean(second.by_seed.values())
        return Estimate(gap)
    gaps = [first.by_seed[seed] - second.by_seed[seed] for seed in seeds]
    parts = [_minus(first.parts.get(seed, ()), second.parts.get(seed, ())) for seed in seeds]
    return Estimate.around(statistics.fmean(gaps), _margin(gaps, parts)[0], len(seeds))


def rank(entries: Mapping[str, Scores], *, higher_is_better: bool = True) -> Ranking:
    """Rank entries: those that are not separated from the best share its rank; then the next best.

    Entries with fewer seeds than `MIN_REPEATS`, or without a seed in common with the best, come
    last, without a rank.
    """
    sign = 1 if higher_is_better else -1
    estimates = {name: scores.estimate() for name, scores in entries.items()}
    best_first = sorted(entries, key=lambda name: (-sign * estimates[name].value, name))
    names = [name for name in best_first if estimates[name].n >= MIN_REPEATS]
    names = [
        name for name in names if entries[name].by_seed.keys() & entries[names[0]].by_seed.keys()
    ]
    ranked, detectable = _separated({name: entries[name] for name in names}, estimates, sign)
    unranked = [Ranked(name, None, estimates[name]) for name in best_first if name not in names]
    return Ranking([*ranked, *unranked], detectable)


def only_certain(ranking: Ranking, *, higher_is_better: bool) -> Ranking:
    """Return a ranking without the ranks whose leader is behind an entry without a rank.

    A number there would say that no other entry is better. All entries without a rank follow, best
    first. A ranking that keeps no rank has no detectable difference.
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
    if len(entries) < 2:
        return [Ranked(name, 1, estimates[name]) for name in entries], None
    # Not at the top: listings need neither numpy nor scipy.
    import numpy as np

    from suite.analysis.separation import separate

    names = list(entries)
    seeds = sorted({seed for scores in entries.values() for seed in scores.by_seed})
    table = [[scores.by_seed.get(seed, math.nan) for seed in seeds] for scores in entries.values()]
    parts = _table_of_parts(list(entries.values()), seeds)
    separation = separate(sign * np.array(table), None if parts is None else sign * parts)
    ranked = []
    for i in sorted(range(len(names)), key=lambda i: int(separation.rank[i])):
        margin = None if separation.leader[i] == i else float(separation.margin[i])
        ranked.append(Ranked(names[i], int(separation.rank[i]), estimates[names[i]], margin))
    return ranked, float(separation.detectable)


def _table_of_parts(entries: Sequence[Scores], seeds: Sequence[int]) -> Array | None:
    """Return the parts' scores, of shape (entries, seeds, parts); NaN where an entry has none.

    An entry with another number of parts than most has none of them. Parts that any entry or seed
    lacks are left out. None means that no entry has parts.
    """
    import numpy as np

    counts = [len(parts) for scores in entries for parts in scores.parts.values() if parts]
    num_parts = statistics.mode(counts) if counts else 0
    table = np.full((len(entries), len(seeds), num_parts), math.nan)
    known = np.zeros(table.shape[:2], bool)
    for row, scores in enumerate(entries):
        parts = [scores.parts.get(seed, ()) for seed in scores.by_seed]
        if {num_parts} == set(map(len, parts)):
            columns = [seeds.index(seed) for seed in scores.by_seed]
            table[row, columns] = np.array(parts, float)  # None becomes NaN
            known[row, columns] = True
    if not num_parts or not known.any():
        return None
    return np.compress(~np.isnan(table[known]).any(axis=0), table, axis=-1)


def _minus(first: Parts, second: Parts) -> Parts:
    if len(first) != len(second):
        return ()
    return [
        None if ours is None or theirs is None else ours - theirs
        for ours, theirs in zip(first, second, strict=True)
    ]
