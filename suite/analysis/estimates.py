"""Estimates with 95% intervals by Student's t, and pseudo-values of the jackknife."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MIN_REPEATS = 3
"""The fewest repeats (seeds or rounds) with an interval: two repeats say too little of a spread."""
MISSES = 0.05
"""The probability that an interval misses the truth."""
MAX_EXPONENT = 700.0
"""A float holds no larger power of e."""
WILSON_QUANTILE = statistics.NormalDist().inv_cdf(1 - MISSES / 2)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, the ends of its 95% interval (None where the spread is unknown), and n repeats."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0

    @staticmethod
    def around(value: float, margin: float | None, n: int) -> Estimate:
        """Return an estimate with an interval of `margin` on both sides; None means no interval."""
        if margin is None:
            return Estimate(value, n=n)
        return Estimate(value, value - margin, value + margin, n)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the interval; None without one."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def is_beyond_noise(self) -> bool:
        """Whether the interval excludes 0."""
        return self.ends is not None and not self.ends[0] <= 0 <= self.ends[1]


@dataclass(frozen=True, slots=True)
class Figure(Estimate):
    """The estimate of one entry at one length over its repeats, with the range of the repeats.

    The mean of a cost is geometric. `sessions` is the number of sessions that measured it, and
    `between_sessions` the standard deviation of the logarithms of their means (0.03: about 3%).
    `missing` says how many repeats have no figure, and why. `is_disturbed` marks a cost that other
    processes disturbed in every run: it is shown, and neither ranked nor compared.
    """

    lowest: float = math.nan
    highest: float = math.nan
    sessions: int = 1
    between_sessions: float | None = None
    missing: str = ""
    is_disturbed: bool = False

    @staticmethod
    def of(estimate: Estimate, values: Sequence[float], **facts: Any) -> Figure:
        """Return the figure of an estimate and of the values that the estimate comes from."""
        ends = estimate.low, estimate.high
        return Figure(estimate.value, *ends, estimate.n, min(values), max(values), **facts)


def variance(values: Sequence[float]) -> float:
    """Return the sample variance, in floats; `statistics.variance` works in fractions, slowly."""
    mean = statistics.fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def margin_of_mean(values: Sequence[float]) -> float | None:
    """Return half the interval of a mean of independent values; None below `MIN_REPEATS`."""
    if len(values) < MIN_REPEATS:
        return None
    return margin_of_error(len(values) - 1, math.sqrt(variance(values) / len(values)))


def mean_interval(values: Sequence[float]) -> Estimate:
    """Return the mean of independent values; it has an interval from `MIN_REPEATS` values on."""
    return Estimate.around(statistics.fmean(values), margin_of_mean(values), len(values))


def ratio_interval(values: Sequence[float]) -> Estimate:
    """Return the geometric mean of positive values, with an interval of logarithms."""
    return exponential(mean_interval([math.log(value) for value in values]))


def exponential(estimate: Estimate) -> Estimate:
    """Return the estimate whose logarithm is given."""

    def power(value: float) -> float:
        return math.exp(min(value, MAX_EXPONENT))

    low, high = map(power, estimate.ends) if estimate.ends else (None, None)
    return Estimate(power(estimate.value), low, high, estimate.n)


def share_interval(
    value: float, margin: float, num_examples: int | None, num_parts: int = 0
) -> tuple[float, float]:
    """Return the ends of the interval of a share, which lie from 0 to 1.

    The margin is carried to the logit scale, where the standard error of a share p is that of p
    divided by p(1 - p) (the delta method). Three seeds may score the same by chance. If the margin
    is smaller than one test example, the interval therefore contains Wilson's for `num_examples`.
    At exactly 0 or 1 it is Wilson's, with the number of parts where that of examples is unknown.
    """
    if not 0 < value < 1:
        return wilson_interval(round(value), num_examples or max(1, num_parts))
    low, high = _logit_interval(value, margin / (value * (1 - value)))
    if num_examples and margin * num_examples < 1:
        least, most = wilson_interval(value, num_examples)
        return min(low, least), max(high, most)
    return low, high


def share_of_examples(values: Sequence[float], num_examples: int) -> Estimate:
    """Return the mean over seeds of a share of `num_examples` examples that all seeds share.

    The interval adds Wilson's, which is symmetric on the logit scale and covers the choice of the
    examples, to that of the seeds in quadrature. At exactly 0 or 1 it is Wilson's.
    """
    estimate = mean_interval(values)
    value = estimate.value
    if estimate.high is None:
        return estimate
    if not 0 < value < 1:
        return Estimate(value, *wilson_interval(value, num_examples), estimate.n)
    variance_of_one = value * (1 - value)
    of_seeds = (estimate.high - value) / variance_of_one
    of_examples = 2 * math.asinh(WILSON_QUANTILE / 2 / math.sqrt(num_examples * variance_of_one))
    ends = _logit_interval(value, math.hypot(of_seeds, of_examples))
    return Estimate(value, *ends, estimate.n)


def wilson_interval(value: float, num_examples: int) -> tuple[float, float]:
    """Return the ends of the interval of a share of independent examples (Wilson 1927).

    `scipy.stats.binomtest` takes whole counts alone.
    """
    square = WILSON_QUANTILE**2
    scale = num_examples + square
    middle = (num_examples * value + square / 2) / scale
    half = math.sqrt(num_examples * value * (1 - value) * square + square**2 / 4) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def pseudo_values(whole: float, without_part: Sequence[float | None]) -> list[float | None]:
    """Return the jackknife's pseudo-values kθ - (k - 1)θ₍₋ᵢ₎, one for each of k parts of a split.

    `whole` is the metric θ of the whole split, `without_part` the metric with each part left out.
    (Tukey 1958, "Bias and Confidence in Not Quite Large Samples").
    """
    k = len(without_part)
    return [None if without is None else k * whole - (k - 1) * without for without in without_part]


def margin_of_error(freedom: int, standard_error: float) -> float:
    """Return half the width of a 95% interval."""
    return _student_quantile(freedom) * standard_error


def _logit_interval(value: float, half: float) -> tuple[float, float]:
    """Return the ends of an interval around a share that is symmetric on the logit scale."""
    middle = math.log(value / (1 - value))
    low, high = (1 / (1 + math.exp(min(-x, MAX_EXPONENT))) for x in (middle - half, middle + half))
    return low, high


@functools.cache
def _student_quantile(freedom: int) -> float:
    """Return the quantile of Student's t at the upper end of a 95% interval."""
    from scipy.special import stdtrit  # not at the top: listings need no scipy

    return float(stdtrit(freedom, 1 - MISSES / 2))
