"""Critical values of comparisons with a leader that the data choose.

The statistic is the largest of `num_entries` normal variables minus the smallest of the first
`num_best` of them, divided by the standard error of a difference of two. If all entries are equal
and `num_best` is 2 or more, the critical value lies between the one-sided Dunnett value (a leader
fixed beforehand) and Tukey's (all pairs), which it equals if `num_best` is `num_entries`.

The values are integrals, not simulations: they are exact to four digits and the same everywhere.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr

Array = NDArray[np.float64]

FREEDOMS = np.array(
    [1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 16, 20, 28, 40, 80, 1e9]
)
"""The degrees of freedom of a table; between them 1 / freedom is interpolated linearly."""
NARROW, WIDE = 12.0, 1e9
"""Ranges of standard normals above `NARROW` have a probability below 1e-15."""


def critical_values(num_best: int, num_entries: int, chance: float, freedom: Array) -> Array:
    """Return the values that the statistic exceeds with a probability of `chance`.

    Args:
        num_best: entries of which none may be separated from the leader by chance.
        num_entries: entries that may lead.
        chance: probability that any of the `num_best` is separated.
        freedom: degrees of freedom of the standard error, of any shape.
    """
    table = _table(num_best, num_entries, chance)
    found: Array = np.interp(1 / freedom, 1 / FREEDOMS[::-1], table[::-1])
    return found


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

    The integral runs over the value of the largest variable, which is one of the first `num_best`
    or one of the others.
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
