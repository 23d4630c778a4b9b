"""Growth: how the cost of one sequence rises with its length."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from suite.analysis.aggregate import Comparison, Point, phases_of
from suite.analysis.quadratic import FULL_ATTENTION, Quadratic, fit_powers, fit_quadratic
from suite.analysis.sessions import CostSession
from suite.analysis.statistics import Estimate, margin_of_error, mean_interval
from suite.api import Architecture

EXPONENT_BOUNDS = (0.05, 4.0)
AT_BOUND = 0.01
"""An exponent this close to a bound is the bound."""
CLAIM = re.compile(r"n(\^(?P<power>\d+(\.\d+)?))?(?P<log> log n)?")
GOLDEN = (math.sqrt(5) - 1) / 2
GENERATED_TOKEN = "generation.step_seconds"
"""The time of a token, which grows with the context by a part of itself: it has a slope."""
CLAIM_TOLERANCE = 0.15
"""Caches, the allocator and the clock may bend a curve by this much."""


@dataclass(frozen=True, slots=True)
class Exponent:
    """The exponent of a cost in the length, as measured and as the architecture claims it.

    The fit describes the `lengths` alone, from `shortest` to `longest`. `claimed_exponent` is that
    of the claim over the same lengths: "n log n" lies a little above 1. `contradicted` is true
    where the low end of the interval exceeds the claim by more than `CLAIM_TOLERANCE`. Where the
    claim is "n^2", `quadratic` is the fit to show. The time of a generated token has no exponent
    but a `slope`, in seconds per position of context: 0 where the context costs nothing.
    """

    line: str
    measure: str
    exponent: float | None
    low: float | None
    high: float | None
    rounds: int
    lengths: Sequence[int]
    claim: str | None = None
    claimed_exponent: float | None = None
    contradicted: bool = False
    quadratic: Quadratic | None = None
    slope: Estimate | None = None

    @property
    def shortest(self) -> int:
        """The shortest length that was fitted."""
        return min(self.lengths)

    @property
    def longest(self) -> int:
        """The longest length that was fitted."""
        return max(self.lengths)


def exponents(
    comparison: Comparison, architectures: Mapping[str, Architecture] | None = None
) -> list[Exponent]:
    """Return the exponents of the cost of one sequence, of each entry of a comparison of probes.

    Each round of the comparison's session is a sweep over the lengths of its own. Time is divided
    by the batch size. Memory has an exponent only where all batches are of one size.
    """
    fixed_batch = len({point.batch_size for point in comparison.points}) == 1
    found = []
    for entry, points in sorted(comparison.by_entry().items()):
        architecture = (architectures or {}).get(points[0].architecture)
        for measure in sorted(
            f"{phase}.{name}"
            for phase in phases_of(comparison.key.mode)
            for name in ("peak_memory_bytes", "step_seconds")
        ):
            if not (fixed_batch or measure.endswith("step_seconds")):
                continue
            sweeps = _sweeps(points, measure, comparison.session)
            lengths = sorted(set.intersection(*map(set, sweeps))) if sweeps else []
            if len(lengths) >= 3:
                claim = _claim(architecture, measure)
                found.append(_judge(entry, measure, sweeps, lengths, claim))
    return found


def _sweeps(
    points: Sequence[Point], measure: str, session: CostSession | None
) -> list[dict[int, float]]:
    """Return the costs of one sequence by length, of each round of a session."""
    sweeps: dict[int, dict[int, float]] = {}
    for point in points:
        for repeat, value in point.costs(measure, session).items():
            sweeps.setdefault(repeat, {})[point.sequence_length] = value / point.batch_size
    return list(sweeps.values())


def _claim(architecture: Architecture | None, measure: str) -> str | None:
    if architecture is None or measure.startswith("generation."):
        return None  # the claims are those of a whole sequence
    time = measure.endswith("seconds")
    return architecture.claimed_time if time else architecture.claimed_memory


def _judge(
    entry: str,
    measure: str,
    sweeps: Sequence[Mapping[int, float]],
    lengths: Sequence[int],
    claim: str | None,
) -> Exponent:
    if measure == GENERATED_TOKEN:
        slope = slope_estimate(sweeps)
        return Exponent(entry, measure, None, None, None, len(sweeps), lengths, slope=slope)
    estimate = scaling_estimate(sweeps)
    claimed = claimed_exponent(claim, tuple(lengths)) if claim else None
    value, low, high = (estimate.value, estimate.low, estimate.high) if estimate else (None,) * 3
    contradicted = low is not None and claimed is not None and low > claimed + CLAIM_TOLERANCE
    quadratic = fit_quadratic(sweeps) if claim == FULL_ATTENTION else None
    return Exponent(
        *(entry, measure, value, low, high, len(sweeps), lengths),
        *(claim, claimed, contradicted, quadratic),
    )


def scaling_exponent(costs: Mapping[int, float]) -> float | None:
    """Return p where cost(n) = a + b·nᵖ fits best, from the costs per sequence by length.

    a is the fixed cost (weights, optimizer, the overhead of a step) and never below 0. The fit
    minimises squared relative errors, because disturbances multiply a cost: short lengths, which
    consist mostly of the fixed cost, then say little about p. Returns None with fewer than three
    lengths, where a cost is not positive, where the longest costs no more than the shortest, and
    where the best p is a bound of the search: the costs then do not determine it.
    """
    if len(costs) < 3 or min(costs.values()) <= 0 or costs[max(costs)] <= costs[min(costs)]:
        return None
    least, most = EXPONENT_BOUNDS
    found = _minimize(lambda power: _fit_power(costs, power)[1], least, most)
    return found if least + AT_BOUND < found < most - AT_BOUND else None


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


def scaling_estimate(rounds: Sequence[Mapping[int, float]]) -> Estimate | None:
    """Return the exponent p of repeated sweeps over the lengths, with its interval.

    The interval has two parts, added in quadrature: the spread of the rounds' own exponents, and
    the standard error of the fit to the rounds' medians, which says how far the lengths lie from
    any power law. There is no interval with one round or three lengths.
    """
    lengths = set.intersection(*(set(costs) for costs in rounds)) if rounds else set()
    sweeps = [{length: costs[length] for length in lengths} for costs in rounds]
    found = [power for sweep in sweeps if (power := scaling_exponent(sweep)) is not None]
    if len(found) < len(sweeps):
        return None
    if len(sweeps) == 1:
        return Estimate(found[0], None, None, 1)
    typical = {n: statistics.median(sweep[n] for sweep in sweeps) for n in lengths}
    power = scaling_exponent(typical)
    if power is None:
        return None
    spread = mean_interval(found)
    misfit = _misfit_margin(typical, power)
    if spread.high is None or misfit is None:
        return Estimate(power, None, None, len(found))
    half = math.hypot(spread.high - spread.value, misfit)
    return Estimate(power, power - half, power + half, len(found))


def slope_estimate(rounds: Sequence[Mapping[int, float]]) -> Estimate | None:
    """Return the slope of a cost in the length, of repeated sweeps over the lengths.

    The fit of a line to the rounds' medians minimises squared relative errors. The interval adds in
    quadrature the spread of the rounds' own slopes and the standard error of the fit, as in
    `scaling_estimate`. Returns None where a cost is not positive.
    """
    lengths = sorted(set.intersection(*map(set, rounds))) if rounds else []
    sweeps = [[costs[length] for length in lengths] for costs in rounds]
    if len(lengths) < 3 or min(map(min, sweeps)) <= 0:
        return None
    typical = [statistics.median(costs) for costs in zip(*sweeps, strict=True)]
    weights = [cost**-2.0 for cost in typical]
    values, errors = fit_powers(lengths, typical, (0, 1))
    slope = values[1]
    spread = mean_interval([_fit_line(lengths, costs, weights)[0] for costs in sweeps])
    if spread.high is None or errors is None:
        return Estimate(slope, None, None, len(sweeps))
    misfit = margin_of_error(len(lengths) - 2, errors[1])
    half = math.hypot(spread.high - spread.value, misfit)
    return Estimate(slope, slope - half, slope + half, len(sweeps))


@lru_cache
def claimed_exponent(claim: str, lengths: tuple[int, ...]) -> float | None:
    """Return the p that `scaling_exponent` finds for a claim such as "n log n" at some lengths.

    Returns None where the claim is not of the form n, n^1.5 or n log n.
    """
    parts = CLAIM.fullmatch(claim)
    if parts is None:
        return None
    power = float(parts["power"] or 1)

    def cost(length: int) -> float:
        return float(length**power) * (math.log(length) if parts["log"] else 1.0)

    return scaling_exponent({length: cost(length) for length in lengths})


def _misfit_margin(costs: Mapping[int, float], power: float) -> float | None:
    """Return the margin of p that the errors of the fit give; None for three lengths."""
    freedom = len(costs) - 3
    if freedom < 1:
        return None
    slope, squares = _fit_power(costs, power)
    shares = [length / max(costs) for length in costs]
    risen = [share**power for share in shares]
    # Linearise: how the fit responds to p beyond what a and b absorb.
    moved = [slope * x * math.log(share) for x, share in zip(risen, shares, strict=True)]
    *_, answer = _fit_line(risen, moved, [cost**-2.0 for cost in costs.values()])
    return margin_of_error(freedom, math.sqrt(squares / freedom / answer))


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
