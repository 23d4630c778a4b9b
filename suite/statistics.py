"""Quartiles, summaries over repeats, and scaling exponents. Standard library only."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EXPONENT_BOUNDS = (0.05, 4.0)
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Summary:
    """Repeats of one figure: the mean for quality, the median for cost, and how far they lie."""

    mean: float
    median: float
    lowest: float
    highest: float
    n: int


def summarize(values: Sequence[float]) -> Summary | None:
    """Summarise the repeats of one figure, or return None where there are none."""
    if not values:
        return None
    return Summary(
        statistics.fmean(values), statistics.median(values), min(values), max(values), len(values)
    )


def quartiles(samples: Sequence[float]) -> tuple[float, float] | None:
    """Return the first and third quartile (inclusive method), None for fewer than two samples."""
    if len(samples) < 2:
        return None
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


def scaling_exponent(costs: Mapping[int, float]) -> float | None:
    """Return p where cost(n) = a + b·nᵖ fits best, from the costs per sequence by length.

    The fixed cost a (weights, optimizer, a step's overhead) drops out because every cost is taken
    above that of the shortest length n₀: cost(n) − cost(n₀) = b·(nᵖ − n₀ᵖ), fitted by least
    squares of the logarithms. Returns None with fewer than three lengths, or where the cost does
    not rise above that of the shortest.
    """
    lengths = sorted(costs)
    if len(lengths) < 3:
        return None
    shortest, longer = lengths[0], lengths[1:]
    rises = [costs[length] - costs[shortest] for length in longer]
    if min(rises) <= 0:
        return None

    def misfit(power: float) -> float:
        residuals = [
            math.log(rise) - math.log(length**power - shortest**power)
            for rise, length in zip(rises, longer, strict=True)
        ]
        return statistics.pvariance(residuals)  # the best b takes out their mean

    return _minimize(misfit, *EXPONENT_BOUNDS)


def _minimize(function, low: float, high: float) -> float:  # type: ignore[no-untyped-def]
    """Golden-section search for the minimum of a function with a single one."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-6:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2
