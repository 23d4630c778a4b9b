"""The cost of full attention in the length: αn + βn² above a fixed cost.

An exponent describes full attention badly: its feed-forward layers cost αn, its attention βn², and
the exponent of their sum says little but which of both the lengths happened to show.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from suite.analysis.statistics import Estimate, margin_of_error, mean_interval

FULL_ATTENTION = "n^2"
"""The claim whose costs are fitted as a polynomial."""
POWERS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Quadratic:
    """Coefficients of the cost of one sequence of n positions: fixed + αn + βn²; none is negative.

    `linear` is α and `squared` is β, in the unit of the cost. `shortest` and `longest` are the ends
    of the range of lengths that the fit describes.
    """

    linear: Estimate
    squared: Estimate
    fixed: float
    shortest: int
    longest: int


def fit_quadratic(rounds: Sequence[Mapping[int, float]]) -> Quadratic | None:
    """Fit the costs of one sequence by length, in repeated sweeps over the lengths.

    The fit to the rounds' medians minimises squared relative errors. As in
    `scaling.scaling_estimate`, an interval adds in quadrature the spread of the rounds' own
    coefficients and the standard error of the fit to the medians; there is none with fewer than
    three rounds or four lengths. Returns None with fewer than three lengths, and where a cost is
    not positive.
    """
    lengths = sorted(set.intersection(*(set(costs) for costs in rounds))) if rounds else []
    sweeps = [[costs[length] for length in lengths] for costs in rounds]
    if len(lengths) < len(POWERS) or min(map(min, sweeps)) <= 0:
        return None
    typical = [statistics.median(values) for values in zip(*sweeps, strict=True)]
    best = _fit_not_negative(lengths, typical)
    free, errors = fit_powers(lengths, typical, POWERS)
    by_round = [fit_powers(lengths, sweep, POWERS)[0] for sweep in sweeps]
    linear, squared = (
        _estimate(best[power], free[power], [of[power] for of in by_round], errors, power, lengths)
        for power in (1, 2)
    )
    return Quadratic(linear, squared, best[0], lengths[0], lengths[-1])


def _estimate(
    best: float,
    free: float,
    by_round: Sequence[float],
    errors: Mapping[int, float] | None,
    power: int,
    lengths: Sequence[int],
) -> Estimate:
    """Return a coefficient with its interval, cut at 0.

    The interval is around the fit without bounds. The interval of a bounded fit would be too narrow
    where a coefficient is held at 0.
    """
    spread = mean_interval(by_round)
    freedom = len(lengths) - len(POWERS)
    if spread.high is None or errors is None:
        return Estimate(best, None, None, len(by_round))
    half = math.hypot(spread.high - spread.value, margin_of_error(freedom, errors[power]))
    low, high = max(0.0, free - half), max(0.0, free + half)
    return Estimate(best, min(low, best), max(high, best), len(by_round))


def fit_powers(
    lengths: Sequence[int], costs: Sequence[float], powers: Sequence[int]
) -> tuple[dict[int, float], dict[int, float] | None]:
    """Return the best coefficients and their standard errors, by power.

    There are no standard errors where the lengths are as few as the coefficients.
    """
    import numpy as np  # not at the top: listings do not need numpy

    longest = lengths[-1]
    weighted = np.array(
        [
            [(length / longest) ** power / cost for power in powers]
            for length, cost in zip(lengths, costs, strict=True)
        ]
    )
    found, *_ = np.linalg.lstsq(weighted, np.ones(len(costs)), rcond=None)
    scales = [float(longest) ** power for power in powers]
    values = {
        power: float(value) / scale
        for power, value, scale in zip(powers, found, scales, strict=True)
    }
    freedom = len(lengths) - len(powers)
    if freedom < 1:
        return values, None
    squares = float(((weighted @ found - 1) ** 2).sum()) / freedom
    variances = squares * np.diag(np.linalg.inv(weighted.T @ weighted))
    return values, {
        power: math.sqrt(float(value)) / scale
        for power, value, scale in zip(powers, variances, scales, strict=True)
    }


def _fit_not_negative(lengths: Sequence[int], costs: Sequence[float]) -> dict[int, float]:
    """Return the best coefficients by power among those that are not negative.

    The function fits every subset of the powers (seven for three powers) and returns the best fit
    without a negative coefficient.
    """
    found: list[tuple[float, dict[int, float]]] = []
    for count in (3, 2, 1):
        for powers in combinations(POWERS, count):
            values, _ = fit_powers(lengths, costs, powers)
            if min(values.values()) >= 0:
                errors = (
                    sum(value * length**power for power, value in values.items()) / cost - 1
                    for length, cost in zip(lengths, costs, strict=True)
                )
                found.append((math.fsum(error**2 for error in errors), values))
    _, best = min(found, key=lambda item: item[0])
    return {power: best.get(power, 0.0) for power in POWERS}
