"""Estimates with 95% intervals by Student's t, and pseudo-values of the jackknife."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MIN_REPEATS = 3
"""The fewest repeats (seeds or rounds) with an interval: two repeats say too little of a spread."""
MISSES = 0.05
"""The probability that an interval misses the truth."""
MAX_EXPONENT = 700.0
"""A float holds no larger power of e."""
STUDENT_QUANTILES = (
    12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934,
    2.5705818356363146, 2.4469118511449786, 2.364624251592784, 2.306004135204166,
    2.262157162798205, 2.228138851986274, 2.200985160091639, 2.1788128296672284,
    2.1603686564627913, 2.144786687917804, 2.131449545559776, 2.1199052992212546,
    2.1098155778333156, 2.1009220402410382, 2.0930240544083087, 2.085963447265864,
    2.0796138447276795, 2.0738730679040254, 2.0686576104190486, 2.0638985616280245,
    2.0595385527532972, 2.0555294386428735, 2.0518305164802846, 2.0484071417952454,
    2.045229642132703, 2.0422724563012378,
)  # fmt: skip
"""The quantiles of Student's t that margins of 1 to 30 degrees of freedom need.

They are those of scipy, which takes half a second to import. Other freedoms are rare.
"""
WILSON_QUANTILE = statistics.NormalDist().inv_cdf(1 - MISSES / 2)


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
    """Return the mean of independent values; it has an interval from `MIN_REPEATS` values on."""
    mean = statistics.fmean(values)
    if len(values) < MIN_REPEATS:
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
        return math.exp(min(value, MAX_EXPONENT))

    low = None if estimate.low is None else power(estimate.low)
    high = None if estimate.high is None else power(estimate.high)
    return Estimate(power(estimate.value), low, high, estimate.n)


def share_interval(
    value: float, margin: float, num_examples: int | None, num_parts: int = 0
) -> tuple[float, float]:
    """Return the ends of the interval of a share, which lie from 0 to 1.

    The margin is carried to the logit scale, where the standard error of a share p is that of p
    divided by p(1 - p) (the delta method). Three seeds may score the same by chance, above all near
    0 and 1. If the margin is smaller than one test example, the interval therefore contains
    Wilson's for `num_examples`. At exactly 0 or 1 it is Wilson's; an unknown number of examples
    counts there as that of the parts, which hold at least one each. All seeds are scored on the
    same examples, so their number does not multiply the number of examples.
    """
    if not 0 < value < 1:
        return wilson_interval(round(value), num_examples or max(1, num_parts))
    middle = _logit(value)
    half = margin / (value * (1 - value))
    low, high = _logistic(middle - half), _logistic(middle + half)
    if num_examples and margin * num_examples < 1:
        least, most = wilson_interval(value, num_examples)
        return min(low, least), max(high, most)
    return low, high


def share_of_examples(values: Sequence[float], num_examples: int) -> Estimate:
    """Return the mean over seeds of a share of `num_examples` examples that all seeds share.

    It has an interval from `MIN_REPEATS` values on. The seeds' margin does not cover the choice of
    the examples. The interval therefore adds Wilson's, which is symmetric on the logit scale, to
    that of the seeds in quadrature; at exactly 0 or 1 it is Wilson's. It is never narrower than
    Wilson's.
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
    middle, half = _logit(value), math.hypot(of_seeds, of_examples)
    return Estimate(value, _logistic(middle - half), _logistic(middle + half), estimate.n)


def wilson_interval(value: float, num_examples: int) -> tuple[float, float]:
    """Return the ends of the interval of a share of independent examples (Wilson 1927)."""
    square = WILSON_QUANTILE**2
    scale = num_examples + square
    middle = (num_examples * value + square / 2) / scale
    half = math.sqrt(num_examples * value * (1 - value) * square + square**2 / 4) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def pseudo_values(whole: float, without_part: Sequence[float | None]) -> list[float | None]:
    """Return the jackknife's pseudo-values, one for each part of the test split.

    `whole` is a metric θ of the whole split, `without_part` the metric with each of the k parts
    left out. The pseudo-value kθ - (k - 1)θ₍₋ᵢ₎ is what part i adds to θ. For the mean over
    equally large parts it is the score of part i (Tukey 1958, "Bias and Confidence in Not Quite
    Large Samples").
    """
    k = len(without_part)
    return [None if without is None else k * whole - (k - 1) * without for without in without_part]


def margin_of_error(freedom: int, standard_error: float) -> float:
    """Return half the width of a 95% interval."""
    return _student_quantile(freedom) * standard_error


def _logit(value: float) -> float:
    return math.log(value / (1 - value))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(min(-value, MAX_EXPONENT)))


@functools.cache
def _student_quantile(freedom: int) -> float:
    """Return the quantile of Student's t at the upper end of a 95% interval."""
    if 1 <= freedom <= len(STUDENT_QUANTILES):
        return STUDENT_QUANTILES[freedom - 1]
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - MISSES / 2))


def count_text(counts: Iterable[int], name: str = "seed") -> str:
    """Return the numbers of repeats as "1 seed", "3 seeds" or "1 to 3 seeds"."""
    known = sorted(set(counts))
    if known == [1]:
        return f"1 {name}"
    return f"{' to '.join(map(str, dict.fromkeys((known[0], known[-1]))))} {name}s"
