"""Quartiles, summaries over repeats, intervals, and scaling exponents.

Intervals are of 95%, by Student's t.
"""

from __future__ import annotations

import functools
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EXPONENT_BOUNDS = (0.05, 4.0)
CLAIM = re.compile(r"n(\^(?P<power>\d+(\.\d+)?))?(?P<log> log n)?")
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Summary:
    """Repeats of one figure: the mean for quality, the median for cost, and how far they lie.

    `low` and `high` are the ends of the mean's interval, None for a single figure.
    """

    mean: float
    median: float
    lowest: float
    highest: float
    n: int
    low: float | None = None
    high: float | None = None


def summarize(values: Sequence[float]) -> Summary | None:
    """Summarise the repeats of one figure, or return None where there are none."""
    if not values:
        return None
    of_mean = mean_interval(values)
    return Summary(
        of_mean.value,
        statistics.median(values),
        min(values),
        max(values),
        len(values),
        of_mean.low,
        of_mean.high,
    )


def scaling_exponent(costs: Mapping[int, float]) -> float | None:
    """Return p where cost(n) = a + b·nᵖ fits best, from the costs per sequence by length.

    a is the fixed cost (weights, optimizer, a step's overhead), never below 0. Fitted by least
    squares of relative errors, as what disturbs a cost multiplies it: short lengths, where the
    fixed cost is most of it, then say little of p. Returns None with fewer than three lengths, or
    where the longest costs no more than the shortest.
    """
    if len(costs) < 3 or costs[max(costs)] <= costs[min(costs)]:
        return None
    return _minimize(lambda power: _fit_power(costs, power)[1], *EXPONENT_BOUNDS)


def _fit_power(costs: Mapping[int, float], power: float) -> tuple[float, float]:
    """Return b and the summed squares of relative errors where a + b·(n / longest)ᵖ fits best."""
    longest = max(costs)
    risen = [(length / longest) ** power for length in costs]
    weights = [cost**-2.0 for cost in costs.values()]
    slope, fixed, squares = _fit_line(risen, list(costs.values()), weights)
    if fixed >= 0:
        return slope, squares
    pairs = list(zip(risen, costs.values(), weights, strict=True))
    slope = math.fsum(w * x * y for x, y, w in pairs) / math.fsum(w * x * x for x, _, w in pairs)
    return slope, math.fsum(w * (y - slope * x) ** 2 for x, y, w in pairs)


def _fit_line(
    places: Sequence[float], values: Sequence[float], weights: Sequence[float]
) -> tuple[float, float, float]:
    """Return the slope and the start of the best line, and its summed weighted squared errors."""
    total = math.fsum(weights)
    middle, level = (
        math.fsum(w * part for w, part in zip(weights, parts, strict=True)) / total
        for parts in (places, values)
    )
    around = [(w, x - middle, y - level) for w, x, y in zip(weights, places, values, strict=True)]
    slope = math.fsum(w * x * y for w, x, y in around) / math.fsum(w * x * x for w, x, _ in around)
    squares = math.fsum(w * (y - slope * x) ** 2 for w, x, y in around)
    return slope, level - slope * middle, squares


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, the ends of its interval (None where nothing tells how sure it is), and n."""

    value: float
    low: float | None
    high: float | None
    n: int


def variance(values: Sequence[float]) -> float:
    """Return the sample variance; two passes of floats, where `statistics` works in fractions."""
    mean = statistics.fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def mean_interval(values: Sequence[float]) -> Estimate:
    """Return the mean of independent values and its interval; none for a single one."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Estimate(mean, None, None, len(values))
    half = margin_of_error(len(values) - 1, math.sqrt(variance(values) / len(values)))
    return Estimate(mean, mean - half, mean + half, len(values))


def ratio_interval(values: Sequence[float]) -> Estimate:
    """Return the geometric mean of positive values and its interval.

    What disturbs a cost multiplies it, so that its interval is one of logarithms: it cannot reach
    below zero, and twice as slow is as far as twice as fast.
    """
    return exponential(mean_interval([math.log(value) for value in values]))


def exponential(estimate: Estimate) -> Estimate:
    """Return the estimate of which this one is the logarithm."""

    def power(value: float) -> float:
        return math.exp(min(value, 700.0))  # beyond that a float ends

    low = None if estimate.low is None else power(estimate.low)
    high = None if estimate.high is None else power(estimate.high)
    return Estimate(power(estimate.value), low, high, estimate.n)


def scaling_estimate(rounds: Sequence[Mapping[int, float]]) -> Estimate | None:
    """Return p of `scaling_exponent` over repeated sweeps of the lengths, with its interval.

    Each round gives an exponent of its own, and their spread one part of the interval; how far the
    lengths lie from any power law gives the other, as the standard error of the fit to the rounds'
    medians. The two are added in quadrature. Without both more than one round and more than three
    lengths one part is missing, and there is no interval.
    """
    lengths = set.intersection(*(set(costs) for costs in rounds)) if rounds else set()
    sweeps = [{length: costs[length] for length in lengths} for costs in rounds]
    found = [power for sweep in sweeps if (power := scaling_exponent(sweep)) is not None]
    typical = {n: statistics.median(sweep[n] for sweep in sweeps) for n in lengths}
    power = scaling_exponent(typical)
    if power is None or len(found) < len(sweeps):
        return None
    spread = mean_interval(found)
    misfit = _misfit_half_width(typical, power)
    if spread.high is None or misfit is None:
        return Estimate(power, None, None, len(found))
    half = math.hypot(spread.high - spread.value, misfit)
    return Estimate(power, power - half, power + half, len(found))


def claimed_exponent(claim: str, lengths: Sequence[int]) -> float | None:
    """Return the p that `scaling_exponent` finds for a claim such as "n log n" at some lengths.

    None where the claim is in other words than n, n^1.5, n log n: such a one cannot be judged.
    """
    parts = CLAIM.fullmatch(claim)
    if parts is None:
        return None
    power = float(parts["power"] or 1)

    def cost(length: int) -> float:
        return float(length**power) * (math.log(length) if parts["log"] else 1.0)

    return scaling_exponent({length: cost(length) for length in lengths})


def _misfit_half_width(costs: Mapping[int, float], power: float) -> float | None:
    """Return the half width of p's interval that the fit's errors give, None for 3 lengths."""
    freedom = len(costs) - 3
    if freedom < 1:
        return None
    slope, squares = _fit_power(costs, power)
    shares = [length / max(costs) for length in costs]
    risen = [share**power for share in shares]
    # How the fit answers to p, beyond what a and b make good: the error of p by linearizing.
    moved = [slope * x * math.log(share) for x, share in zip(risen, shares, strict=True)]
    *_, answer = _fit_line(risen, moved, [cost**-2.0 for cost in costs.values()])
    return margin_of_error(freedom, math.sqrt(squares / freedom / answer))


def margin_of_error(freedom: int, standard_error: float, chance: float = 0.05) -> float:
    """Return the half width of an interval that misses the truth with this chance."""
    return _student_quantile(freedom, 1 - chance / 2) * standard_error


def p_value(freedom: int, value: float, standard_error: float) -> float:
    """Return the chance whose `margin_of_error` just reaches a value."""
    from scipy.special import stdtr  # not at the top: listings need no scipy

    if standard_error == 0:
        return 0.0
    return 2 * float(stdtr(freedom, -abs(value) / standard_error))


@functools.lru_cache(maxsize=100_000)  # a board's lines share theirs, and scipy takes longer
def _student_quantile(freedom: int, probability: float) -> float:
    from scipy.special import stdtrit  # not at the top: listings need no scipy

    return float(stdtrit(freedom, probability))


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
