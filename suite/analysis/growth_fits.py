"""Fits of costs to curves of the length: a + b·nᵖ, a + αn, and a + αn + βn².

All fits minimise squared relative errors, because disturbances multiply a cost: short lengths,
which consist mostly of the fixed cost a, then say little about the growth. A fit is to the medians
of the rounds. Its interval adds two errors in quadrature: the spread of the rounds' own fits, and
the standard error of the fit to the medians, which says how far the lengths lie from the curve.

In all functions, `lengths` are the lengths in rising order, `costs` are those of one sequence at
each length, and `rounds` holds the costs of each round.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar, nnls

from suite.analysis.estimates import Estimate, margin_of_error, margin_of_mean

Array = NDArray[np.float64]

EXPONENT_BOUNDS = (0.05, 4.0)
AT_BOUND = 0.01
"""An exponent this close to a bound is the bound."""
CLAIM = re.compile(r"n(\^(?P<power>\d+(\.\d+)?))?(?P<log> log n)?")


def fit_exponent(lengths: ArrayLike, rounds: ArrayLike) -> Estimate | None:
    """Return the exponent p of repeated sweeps over the lengths.

    There is no interval with fewer than three rounds or four lengths. None means that the costs of
    a round, or their medians, determine no exponent.
    """
    typical = np.median(np.array(rounds), axis=0)
    power = find_exponent(lengths, typical)
    by_round = [find_exponent(lengths, costs) for costs in np.array(rounds)]
    known = [exponent for exponent in by_round if exponent is not None]
    if power is None or len(known) < len(by_round):
        return None
    return _estimate(power, known, _exponent_margin(np.array(lengths), typical, power))


def fit_slope(lengths: ArrayLike, rounds: ArrayLike) -> Estimate | None:
    """Return the slope of a cost in the length; None where a cost is not positive."""
    if len(np.array(lengths)) < 3 or np.min(rounds) <= 0:
        return None
    typical = np.median(np.array(rounds), axis=0)
    values, margins = _fit(lengths, typical, (0, 1), typical)
    by_round = [_fit(lengths, costs, (0, 1), typical)[0][1] for costs in np.array(rounds)]
    return _estimate(values[1], by_round, margins[1] if margins else None)


def fit_quadratic(lengths: ArrayLike, rounds: ArrayLike) -> tuple[float, Estimate, Estimate] | None:
    """Return a, α and β of the fit a + αn + βn² without negative coefficients.

    There are no intervals with fewer than three rounds or four lengths. None means fewer than three
    lengths, or a cost that is not positive.
    """
    if len(np.array(lengths)) < 3 or np.min(rounds) <= 0:
        return None
    powers, typical = (0, 1, 2), np.median(np.array(rounds), axis=0)
    design, scales = _design(lengths, powers, typical)
    best = [float(value) for value in nnls(design, np.ones(len(design)))[0] / scales]
    # An interval is around the fit without bounds. That of a bounded fit would be too narrow where
    # a coefficient is held at 0.
    values, margins = _fit(lengths, typical, powers, typical)
    by_round = [_fit(lengths, costs, powers, costs)[0] for costs in np.array(rounds)]
    linear, squared = (
        _not_negative(
            best[power],
            _estimate(
                values[power],
                [coefficients[power] for coefficients in by_round],
                margins[power] if margins else None,
            ),
        )
        for power in (1, 2)
    )
    return best[0], linear, squared


def find_exponent(lengths: ArrayLike, costs: ArrayLike) -> float | None:
    """Return p where cost(n) = a + b·nᵖ fits best.

    a is the fixed cost (weights, optimizer, the overhead of a step) and never below 0. None means
    that the costs do not determine p: fewer than three lengths, a cost that is not positive, a
    longest length that costs no more than the shortest, or a p at a bound of the search.
    """
    values = np.array(costs)
    if len(values) < 3 or values.min() <= 0 or values[-1] <= values[0]:
        return None
    best = minimize_scalar(
        lambda power: _fit_power(lengths, values, power)[1],
        bounds=EXPONENT_BOUNDS,
        method="bounded",
        options={"xatol": 1e-7},
    )
    least, most = EXPONENT_BOUNDS
    return float(best.x) if least + AT_BOUND < best.x < most - AT_BOUND else None


@lru_cache
def claimed_exponent(claim: str, lengths: tuple[int, ...]) -> float | None:
    """Return the p that `find_exponent` finds for a claim such as "n log n" at some lengths.

    Returns None where the claim is not of the form n, n^1.5 or n log n.
    """
    parts = CLAIM.fullmatch(claim)
    if parts is None:
        return None
    each = np.array(lengths, float)
    costs = each ** float(parts["power"] or 1) * (np.log(each) if parts["log"] else 1.0)
    return find_exponent(lengths, costs)


def _estimate(value: float, by_round: Sequence[float], misfit: float | None) -> Estimate:
    """Return an estimate whose interval adds the spread of the rounds and the error of the fit."""
    spread = margin_of_mean(by_round)
    margin = None if spread is None or misfit is None else math.hypot(spread, misfit)
    return Estimate.around(value, margin, len(by_round))


def _not_negative(value: float, around: Estimate) -> Estimate:
    """Return a value with an interval that is cut at 0 and contains the value."""
    if around.ends is None:
        return Estimate(value, n=around.n)
    low, high = around.ends
    return Estimate(value, min(max(0.0, low), value), max(0.0, high, value), around.n)


def _design(lengths: ArrayLike, powers: Sequence[float], weights: ArrayLike) -> tuple[Array, Array]:
    """Return the powers of each length divided by its weight, and the scale of each column."""
    each, exponents = np.array(lengths, float), np.array(powers)
    shares = (each[:, None] / each[-1]) ** exponents
    return shares / np.array(weights)[:, None], each[-1] ** exponents


def _fit(
    lengths: ArrayLike, costs: ArrayLike, powers: Sequence[float], weights: ArrayLike
) -> tuple[list[float], list[float] | None]:
    """Return the best coefficients of powers of the length, and their margins.

    Errors are divided by `weights`. There are no margins where the lengths are as few as the
    coefficients.
    """
    design, scales = _design(lengths, powers, weights)
    wanted = np.array(costs) / np.array(weights)
    best: Any = np.linalg.lstsq(design, wanted, rcond=None)[0]
    values = [float(value) for value in best / scales]
    freedom = len(wanted) - len(powers)
    if freedom < 1:
        return values, None
    squares = float(((design @ best - wanted) ** 2).sum()) / freedom
    errors = np.sqrt(squares * np.diag(np.linalg.inv(design.T @ design))) / scales
    return values, [margin_of_error(freedom, float(error)) for error in errors]


def _fit_power(lengths: ArrayLike, costs: Array, power: float) -> tuple[float, float]:
    """Return b and the summed squares of relative errors where a + b·(n / longest)ᵖ fits best."""
    (_, slope), norm = nnls(_design(lengths, (0, power), costs)[0], np.ones(len(costs)))
    return float(slope), float(norm) ** 2


def _exponent_margin(lengths: Array, costs: Array, power: float) -> float | None:
    """Return the margin of p that the errors of the fit give; None for three lengths."""
    freedom = len(costs) - 3
    if freedom < 1:
        return None
    slope, squares = _fit_power(lengths, costs, power)
    # Linearise: how the fit responds to p beyond what a and b absorb.
    design, _ = _design(lengths, (0, power), costs)
    moved = slope * design[:, 1] * np.log(lengths / lengths.max())
    left = moved - design @ np.linalg.lstsq(design, moved, rcond=None)[0]
    return margin_of_error(freedom, math.sqrt(squares / freedom / float((left**2).sum())))
