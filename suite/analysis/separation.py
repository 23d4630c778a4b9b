"""Separation of the entries of a board from the leader, for one board or many at once.

**Model.** The score of an entry in one seed is the entry's mean, plus an effect of the seed, plus a
residual. The test split adds an effect of its examples, which all entries share. The difference
between two entries therefore has two errors: that of the seeds, and that of the test examples.

**Variance of the residuals.** The variance of three seeds has two degrees of freedom, which
separates next to nothing. It is therefore pooled over the entries of the board. Pooling alone gives
a false separation on up to 29% of the boards (16 entries, of which two vary 5 times as much as the
others), and no test of equal variances has the power to warn of that. Four rules make it safe:

- An entry whose own variance is larger than the pooled one keeps its own.
- The degrees of freedom are Welch's and Satterthwaite's: few if one entry holds most variance.
- An entry whose variance is 100 times that of the others leaves the pool.
- On a board of two entries, no third entry shows which of them varies more. Each entry keeps its
  own variance, and the difference has the freedom of a single entry.

**Seeds.** If all entries have the same seeds and an F test finds effects of the seeds, these are
removed (a two-way layout). Always removing them would cost a board of three entries a third of its
degrees of freedom. Never removing them would hide nearly all differences where seeds matter.

**Leader.** Entries are dropped step by step, the clearest first. A step with m of n entries left
asks how far the best of n equal entries lies by chance ahead of the worst of m of them (a closed
test). The probability that any of the truly best entries is separated is at most 5%. Entries that
were separated are ranked in the same way among themselves: p of n entries at a chance of 5% times
p / (n - 1). False separations at all ranks of a board together then stay within 5%.

The limit is a failure that happens in none of three seeds (docs/how-we-compare.md).
tests/suite/analysis/test_separation.py holds all this by simulation.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, fdtri, ndtr

Array = NDArray[np.float64]

FREEDOMS = np.array(
    [1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 16, 20, 28, 40, 80, 1e9]
)
"""The degrees of freedom of a table; between them 1 / freedom is interpolated linearly."""
NARROW, WIDE = 12.0, 1e9
"""Ranges of standard normals above `NARROW` have a probability below 1e-15."""


def critical_values(num_best: int, num_entries: int, chance: float, freedom: Array) -> Array:
    """Return the values that the statistic exceeds with a probability of `chance`.

    That is the probability that any of `num_best` entries, of `num_entries` that may lead, is
    separated. `freedom` are the degrees of freedom of the standard error, of any shape.
    """
    table = _table(num_best, num_entries, chance)
    values: Array = np.interp(1 / freedom, 1 / FREEDOMS[::-1], table[::-1])
    return values


@functools.lru_cache(maxsize=1_000)
def _table(num_best: int, num_entries: int, chance: float) -> Array:
    """Return the critical value at each of `FREEDOMS`, by bisection."""
    distances, probabilities = _distribution(num_best, num_entries)
    nodes, weights = _quadrature(96)
    # The ratio of the estimated to the true standard error, at its quantiles.
    ratios = np.sqrt(chdtri(FREEDOMS[:, None], (nodes + 1) / 2) / FREEDOMS[:, None])
    low, high = np.zeros(len(FREEDOMS)), np.full(len(FREEDOMS), 1e4)
    for _ in range(50):
        middle = (low + high) / 2
        reached = np.sqrt(2) * middle[:, None] * ratios
        too_low = np.interp(reached, distances, probabilities) @ weights / 2 < 1 - chance
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return high


@functools.lru_cache(maxsize=1_000)
def _distribution(num_best: int, num_entries: int) -> tuple[Array, Array]:
    """Return distances, and the probability that the numerator is at most each of them.

    The integral runs over the value of the largest variable.
    """
    distances = np.append(np.linspace(0, NARROW, 601), WIDE)
    nodes, weights = _quadrature(160)
    largest = 9 * nodes
    density = np.exp(-(largest**2) / 2) / np.sqrt(2 * np.pi)
    below = ndtr(largest)
    within = below - ndtr(largest - distances[:, None])
    num_others = num_entries - num_best
    integrand = num_best * within ** (num_best - 1) * below**num_others
    if num_others:
        integrand += num_others * below ** (num_others - 1) * within**num_best
    return distances, (integrand * density) @ (9 * weights)


@functools.cache
def _quadrature(count: int) -> tuple[Array, Array]:
    """Return the nodes and weights of Gauss-Legendre quadrature on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights


Flags = NDArray[np.bool_]

FALSE_SEPARATIONS = 0.05
"""The probability that a board separates any entry that is not worse."""
SEED_EFFECT_CHANCE = 0.03
"""The chance of a false alarm of the F test for effects of the seeds."""
SAFETY = 1.1
"""The factor of all margins. Without it, false separations exceed 6% on boards of which one entry
fails in 30% of its seeds by 5 standard deviations."""
UNCOUNTED_FREEDOM = 0.5
"""The degrees of freedom that a pool does not count. Otherwise false separations reach 6.2% on
boards of three entries of which one fails in 30% of its seeds by 5 standard deviations."""
OUTLYING_VARIANCE = 100.0
"""An entry whose variance is this many times that of the others leaves their pool. Some of its
seeds failed to learn, and its variance would hide all differences between the others."""


@dataclass(frozen=True, slots=True)
class Separation:
    """The ranks of boards. The last axis of each array has one element for each entry.

    Attributes:
        rank: 1 for the leader and all entries that are not separated from it.
        leader: the best entry of the entry's rank.
        margin: half the interval of the difference to that leader, which holds for all entries of
            the rank at once. This is the smallest difference that would have been separated.
        detectable: the median of the margins of all entries against the board's leader; the last
            axis is missing. NaN for a single entry.
    """

    rank: NDArray[np.int_]
    leader: NDArray[np.int_]
    margin: Array
    detectable: Array


def separate(scores: Array, parts: Array | None = None) -> Separation:
    """Rank the entries of boards; higher scores are better.

    Args:
        scores: of shape (..., entries, seeds); NaN where an entry lacks a seed. Each entry has at
            least two seeds.
        parts: the scores of the parts of the test split, of shape (..., entries, seeds, parts).
            An entry with NaN in any part counts without an error of the test examples.
    """
    means = np.nanmean(scores, axis=-1)
    of_seeds, freedom = _seed_errors(scores)
    of_examples = np.zeros((*means.shape, means.shape[-1]))
    num_parts = 0
    if parts is not None and (num_parts := parts.shape[-1]) > 1:
        of_examples = _example_errors(parts)
    num_entries = means.shape[-1]
    test = _ClosedTest(
        means.reshape(-1, num_entries),
        of_seeds.reshape(-1, num_entries),
        freedom.reshape(-1, num_entries),
        of_examples.reshape(-1, num_entries, num_entries),
        np.array(float(max(num_parts - 1, 1))),
    )
    margins = test.rank_next()
    detectable = _median(margins) if num_entries > 1 else np.full(len(margins), np.nan)
    while not test.rank.all():
        test.rank_next()
    return Separation(
        test.rank.reshape(means.shape),
        test.leader.reshape(means.shape),
        test.margin.reshape(means.shape),
        detectable.reshape(means.shape[:-1]),
    )


def _seed_errors(scores: Array) -> tuple[Array, Array]:
    """Return the variance of each entry's mean that the seeds cause, and its freedom."""
    num_entries, num_seeds = scores.shape[-2:]
    counts = np.sum(~np.isnan(scores), axis=-1)
    own = np.nanvar(scores, axis=-1, ddof=1)
    lost = np.ones(scores.shape[:-2])  # the share of the freedom that effects of the seeds leave
    if num_entries > 1:
        seeds = scores.mean(axis=-2)  # NaN, and therefore never significant, if a seed is missing
        centred = scores - seeds[..., None, :]
        kept = (num_entries - 1) / num_entries
        without = centred.var(axis=-1, ddof=1) / kept
        residual = without.mean(axis=-1)
        significant = num_entries * seeds.var(axis=-1, ddof=1) > residual * fdtri(
            num_seeds - 1, (num_entries - 1) * (num_seeds - 1), 1 - SEED_EFFECT_CHANCE
        )
        own = np.where(significant[..., None], without, own)
        lost = np.where(significant, kept, 1.0)
    if num_entries == 2:
        return own / counts, np.broadcast_to(counts - 1.0, own.shape)
    pool = _pool(own, counts - 1)
    weights = np.where(pool, counts - 1, 0)
    total = np.sum(weights * own, axis=-1)
    squares = np.sum(weights * own**2, axis=-1)
    # Without any variance every difference is separated, whatever the degrees of freedom.
    freedom = lost * np.divide(total**2, squares, out=np.ones_like(total), where=squares > 0)
    freedom = np.maximum(freedom - UNCOUNTED_FREEDOM, np.minimum(freedom, num_seeds - 1))
    pooled = total / np.sum(weights, axis=-1)
    return (
        np.maximum(own, pooled[..., None]) / counts,
        np.where(pool, np.maximum(freedom, 1.0)[..., None], lost[..., None] * (counts - 1)),
    )


def _pool(own: Array, weights: Array) -> Flags:
    """Return which entries share one variance: all but those that vary much more than the rest."""
    pool = np.ones(own.shape, bool)
    for _ in range((own.shape[-1] - 1) // 2):
        inside = np.where(pool, own, -1.0)
        largest = inside == inside.max(axis=-1, keepdims=True)
        rest = np.where(pool & ~largest, weights, 0)
        others = np.sum(rest * own, axis=-1) / np.maximum(np.sum(rest, axis=-1), 1)
        pool &= ~(largest & (own > OUTLYING_VARIANCE * others[..., None]) & (others > 0)[..., None])
    return pool


def _example_errors(parts: Array) -> Array:
    """Return the variance of each difference of two means that the choice of test examples causes.

    This is the variance over parts of the difference of the entries' means, less the share of the
    residuals of seeds and parts, which the variance over seeds contains already.
    """
    known = ~np.isnan(parts).any(axis=-1, keepdims=True)
    num_seeds = known.sum(axis=(-1, -2))
    num_parts = parts.shape[-1]
    means = np.where(known, parts, 0.0).sum(axis=-2) / np.maximum(num_seeds, 1)[..., None]
    means = np.where(num_seeds[..., None] > 0, means, np.nan)
    centred = means - means.mean(axis=-1, keepdims=True)
    residuals = parts - parts.mean(axis=-1, keepdims=True) - centred[..., None, :]
    residual = np.where(known, residuals**2, 0.0).sum(axis=(-1, -2)) / (
        np.maximum(num_seeds - 1, 1) * (num_parts - 1) * np.maximum(num_seeds, 1)
    )
    products = np.einsum("...ip,...jp->...ij", centred, centred) / (num_parts - 1)
    own = np.einsum("...ii->...i", products)
    between = own[..., :, None] + own[..., None, :] - 2 * products
    variances = (between - residual[..., :, None] - residual[..., None, :]) / num_parts
    errors: Array = np.maximum(np.nan_to_num(variances), 0.0)  # NaN: an entry without parts
    return errors


@dataclass
class _ClosedTest:
    """The steps of the closed test: each array has a row for each board."""

    means: Array
    of_seeds: Array
    freedom: Array
    of_examples: Array
    part_freedom: Array

    def __post_init__(self) -> None:
        self.rank = np.zeros(self.means.shape, int)
        self.leader = np.zeros(self.means.shape, int)
        self.margin = np.zeros(self.means.shape)

    def rank_next(self) -> Array:
        """Give the next rank of each board to its leader and to all that are not separated.

        Returns the margin of each entry that had no rank, at the step that decided it.
        """
        unranked = self.rank == 0
        num_left = unranked.sum(axis=-1)
        leader = np.where(unranked, self.means, -np.inf).argmax(axis=-1)
        boards = np.arange(len(self.means))
        gaps = self.means[boards, leader][:, None] - self.means
        own, leaders = self.of_seeds, self.of_seeds[boards, leader][:, None]
        seed_error = np.sqrt(own + leaders)
        freedom = _welch(own, self.freedom, leaders, self.freedom[boards, leader][:, None])
        example_error = np.sqrt(self.of_examples[boards, leader])
        others = unranked.copy()
        others[boards, leader] = False
        margin = np.full(self.means.shape, np.nan)
        tied = others
        while True:
            of_seeds, of_examples = self._critical(tied.sum(axis=-1) + 1, num_left, freedom)
            reach = SAFETY * np.hypot(of_seeds * seed_error, of_examples * example_error)
            margin = np.where(tied, reach, margin)
            separated = tied & (gaps > reach)
            if not separated.any():
                break
            tied = tied & ~separated
        ranked = tied.copy()
        ranked[boards, leader] = num_left > 0
        self.margin = np.where(tied, margin, self.margin)
        self.leader = np.where(ranked, leader[:, None], self.leader)
        self.rank = np.where(ranked, (ranked.shape[-1] - num_left + 1)[:, None], self.rank)
        return margin

    def _critical(
        self, num_tied: NDArray[np.int_], num_left: NDArray[np.int_], freedom: Array
    ) -> tuple[Array, Array]:
        """Return the critical values of the errors of the seeds and of the examples."""
        of_seeds, of_examples = np.zeros(freedom.shape), np.zeros(freedom.shape)
        for tied, left in sorted(set(zip(num_tied.tolist(), num_left.tolist(), strict=True))):
            if tied < 2:
                continue
            places = (num_tied == tied) & (num_left == left)
            chance = FALSE_SEPARATIONS * min(1.0, left / (freedom.shape[-1] - 1))
            of_seeds[places] = critical_values(tied, left, chance, freedom[places])
            of_examples[places] = critical_values(tied, left, chance, self.part_freedom)
        return of_seeds, of_examples


def _welch(first: Array, first_freedom: Array, second: Array, second_freedom: Array) -> Array:
    """Return the degrees of freedom of the sum of two variances (Welch and Satterthwaite).

    Two variances from the same pool have the freedom of the pool.
    """
    squares = first**2 / first_freedom + second**2 / second_freedom
    both = np.divide((first + second) ** 2, squares, out=np.ones_like(squares), where=squares > 0)
    freedom: Array = np.where(first_freedom == second_freedom, first_freedom, np.maximum(both, 1.0))
    return freedom


def _median(values: Array) -> Array:
    """Return the medians over the last axis without NaN; `np.nanmedian` takes ten times as long."""
    counts = np.sum(~np.isnan(values), axis=-1, keepdims=True)
    ordered = np.sort(values, axis=-1)  # NaN comes last
    middle = [
        np.take_along_axis(ordered, index, axis=-1) for index in ((counts - 1) // 2, counts // 2)
    ]
    medians: Array = (middle[0] + middle[1])[..., 0] / 2
    return medians
