"""Estimates with 95% intervals by Student's t."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, the ends of its interval (None where the spread is unknown), and n."""

    value: float
    low: float | None
    high: float | None
    n: int


def variance(values: Sequence[float]) -> float:
    """Return the sample variance, in floats; `statistics.variance` works in fractions, slowly."""
    mean = statistics.fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def mean_interval(values: Sequence[float]) -> Estimate:
    """Return the mean of independent values; a single value has no interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Estimate(mean, None, None, len(values))
    half = margin_of_error(len(values) - 1, math.sqrt(variance(values) / len(values)))
    return Estimate(mean, mean - half, mean + half, len(values))


def ratio_interval(values: Sequence[float]) -> Estimate:
    """Return the geometric mean of positive values.

    Disturbances multiply a cost, so the interval is one of logarithms: it never reaches below zero,
    and "twice as slow" is as far away as "twice as fast".
    """
    return exponential(mean_interval([math.log(value) for value in values]))


def exponential(estimate: Estimate) -> Estimate:
    """Return the estimate whose logarithm is given."""

    def power(value: float) -> float:
        return math.exp(min(value, 700.0))  # a float holds no larger power

    low = None if estimate.low is None else power(estimate.low)
    high = None if estimate.high is None else power(estimate.high)
    return Estimate(power(estimate.value), low, high, estimate.n)


def margin_of_error(freedom: int, standard_error: float, chance: float = 0.05) -> float:
    """Return half the width of an interval that misses the truth with this probability."""
    return _student_quantile(freedom, 1 - chance / 2) * standard_error


def p_value(freedom: int, value: float, standard_error: float) -> float:
    """Return the two-sided p-value of a value under the hypothesis that the mean is 0."""
    from scipy.special import stdtr  # not at the top: listings do not need scipy

    if standard_error == 0:
        return 0.0
    return 2 * float(stdtr(freedom, -abs(value) / standard_error))


@functools.lru_cache(maxsize=100_000)  # scipy takes longer than the cache
def _student_quantile(freedom: int, probability: float) -> float:
    from scipy.special import stdtrit  # not at the top: listings do not need scipy

    return float(stdtrit(freedom, probability))
