"""Growth: how the cost of one sequence rises with its length n.

A cost has an exponent: the p of the best fit a + b·nᵖ. An exponent describes full attention badly.
Its feed-forward layers cost αn and its attention βn², and the exponent of their sum says little but
which of both the lengths happened to show. Full attention is therefore fitted as a + αn + βn². The
time of a generated token, which grows with the context by a part of itself, has a slope.

All fits minimise squared relative errors, because disturbances multiply a cost: short lengths,
which consist mostly of the fixed cost a, then say little about the growth. A fit is to the medians
of the rounds. Its interval adds two errors in quadrature: the spread of the rounds' own fits, and
the standard error of the fit to the medians, which says how far the lengths lie from the curve.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate, margin_of_error, margin_of_mean
from suite.api import Architecture
from suite.records.measures import phases_of

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Array = NDArray[numpy.float64]

EXPONENT_BOUNDS = (0.05, 4.0)
AT_BOUND = 0.01
"""An exponent this close to a bound is the bound."""
CLAIM = re.compile(r"n(\^(?P<power>\d+(\.\d+)?))?(?P<log> log n)?")
FULL_ATTENTION = "n^2"
"""The claim whose costs are fitted as a polynomial."""
GENERATED_TOKEN = "generation.step_seconds"
"""The cost that has a slope."""
CLAIM_TOLERANCE = 0.15
"""Caches, the allocator and the clock may bend a curve by this much."""
Sweep = Mapping[int, float]
"""The costs of one sequence by length, of one round."""


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


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of a cost with the length, as measured and as the architecture claims it.

    The fit describes the `lengths` alone. `exponent` is None where the costs do not determine it.
    `claimed_exponent` is that of the claim over the same lengths: "n log n" lies a little above 1.
    `contradicted` is true where the low end of the interval exceeds the claim by more than
    `CLAIM_TOLERANCE`. Where the claim is "n^2", `quadratic` is the fit to show. The time of a
    generated token has no exponent but a `slope`, in seconds per position of context: 0 where the
    context costs nothing.
    """

    entry: str
    measure: str
    exponent: Estimate | None
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

    def to_dict(self) -> dict[str, Any]:
        """Return the growth as JSON shows it: with the exponent and the ends of its interval."""
        fields = asdict(self)
        ends = self.exponent or Estimate(math.nan)
        value = self.exponent.value if self.exponent else None
        return {**fields, "exponent": value, "low": ends.low, "high": ends.high}


def growths(
    comparison: Comparison, architectures: Mapping[str, Architecture] | None = None
) -> list[Growth]:
    """Return the growth of the cost of one sequence, of each entry of a comparison of probes.

    Each round of the comparison's session is a sweep over the lengths of its own. Time is divided
    by the batch size. The growth of memory is known only where all batches are of one size.
    """
    fixed_batch = len({entry.batch_size for entry in comparison.entries}) == 1
    names = ("peak_memory_bytes", "step_seconds") if fixed_batch else ("step_seconds",)
    measures = sorted(
        f"{phase}.{name}" for phase in phases_of(comparison.key.mode) for name in names
    )
    found = []
    for name, entries in sorted(comparison.by_entry().items()):
        architecture = (architectures or {}).get(entries[0].architecture)
        for measure in measures:
            sweeps: dict[int, dict[int, float]] = {}
            for entry in entries:
                for repeat, value in entry.costs(measure, comparison.session).items():
                    sweeps.setdefault(repeat, {})[entry.sequence_length] = value / entry.batch_size
            rounds = list(sweeps.values())
            lengths = sorted(set.intersection(*map(set, rounds))) if rounds else []
            if len(lengths) >= 3:
                growth = Growth(name, measure, None, len(rounds), lengths)
                found.append(_fitted(growth, rounds, _claim(architecture, measure)))
    return found


def _claim(architecture: Architecture | None, measure: str) -> str | None:
    if architecture is None or measure.startswith("generation."):
        return None  # the claims are those of a whole sequence
    time = measure.endswith("seconds")
    return architecture.claimed_time if time else architecture.claimed_memory


def _fitted(growth: Growth, rounds: Sequence[Sweep], claim: str | None) -> Growth:
    """Return a growth with the fit to the rounds, and with the verdict on the claim."""
    if growth.measure == GENERATED_TOKEN:
        return replace(growth, slope=fit_slope(rounds))
    exponent = fit_exponent(rounds)
    low = exponent.low if exponent else None
    claimed = claimed_exponent(claim, tuple(growth.lengths)) if claim else None
    return replace(
        growth,
        exponent=exponent,
        claim=claim,
        claimed_exponent=claimed,
        contradicted=low is not None and claimed is not None and low > claimed + CLAIM_TOLERANCE,
        quadratic=fit_quadratic(rounds) if claim == FULL_ATTENTION else None,
    )


def fit_exponent(rounds: Sequence[Sweep]) -> Estimate | None:
    """Return the exponent p of repeated sweeps over the lengths.

    There is no interval with fewer than three rounds or four lengths. Returns None where the costs
    of a round, or their medians, determine no exponent.
    """
    if not rounds:
        return None
    lengths, sweeps, typical = _table(rounds)
    power = find_exponent(dict(zip(lengths, typical, strict=True)))
    by_round = [find_exponent(dict(zip(lengths, sweep, strict=True))) for sweep in sweeps]
    known = [found for found in by_round if found is not None]
    if power is None or len(known) < len(rounds):
        return None
    return _estimate(power, known, _exponent_margin(lengths, typical, power))


def fit_slope(rounds: Sequence[Sweep]) -> Estimate | None:
    """Return the slope of a cost in the length; None where a cost is not positive."""
    lengths, sweeps, typical = _table(rounds)
    if len(lengths) < 3 or min(map(min, sweeps)) <= 0:
        return None
    values, margins = _fit(lengths, typical, (0, 1), typical)
    by_round = [_fit(lengths, sweep, (0, 1), typical)[0][1] for sweep in sweeps]
    return _estimate(values[1], by_round, margins[1] if margins else None)


def fit_quadratic(rounds: Sequence[Sweep]) -> Quadratic | None:
    """Return the fit a + αn + βn² without negative coefficients.

    There are no intervals with fewer than three rounds or four lengths. Returns None with fewer
    than three lengths, and where a cost is not positive.
    """
    import numpy as np
    from scipy.optimize import nnls

    lengths, sweeps, typical = _table(rounds)
    if len(lengths) < 3 or min(map(min, sweeps)) <= 0:
        return None
    powers = (0, 1, 2)
    design, scales = _design(lengths, powers, typical)
    best = nnls(design, np.ones(len(lengths)))[0] / scales
    free, margins = _fit(lengths, typical, powers, typical)
    by_round = [_fit(lengths, sweep, powers, sweep)[0] for sweep in sweeps]
    linear, squared = (
        _not_negative(
            float(best[power]),
            # The interval is around the fit without bounds. That of a bounded fit would be too
            # narrow where a coefficient is held at 0.
            _estimate(
                free[power],
                [coefficients[power] for coefficients in by_round],
                margins[power] if margins else None,
            ),
        )
        for power in (1, 2)
    )
    return Quadratic(linear, squared, float(best[0]), lengths[0], lengths[-1])


def _not_negative(value: float, around: Estimate) -> Estimate:
    """Return a value with an interval that is cut at 0 and contains the value."""
    if around.ends is None:
        return Estimate(value, n=around.n)
    low, high = around.ends
    return Estimate(value, min(max(0.0, low), value), max(0.0, high, value), around.n)


def find_exponent(costs: Sweep) -> float | None:
    """Return p where cost(n) = a + b·nᵖ fits best, from the costs of one sequence by length.

    a is the fixed cost (weights, optimizer, the overhead of a step) and never below 0. Returns None
    with fewer than three lengths, where a cost is not positive, where the longest costs no more
    than the shortest, and where the best p is a bound of the search: the costs then do not
    determine it.
    """
    if len(costs) < 3 or min(costs.values()) <= 0 or costs[max(costs)] <= costs[min(costs)]:
        return None
    from scipy.optimize import minimize_scalar

    lengths, values = list(costs), list(costs.values())
    found = minimize_scalar(
        lambda power: _fit_power(lengths, values, power)[1],
        bounds=EXPONENT_BOUNDS,
        method="bounded",
        options={"xatol": 1e-7},
    )
    least, most = EXPONENT_BOUNDS
    return float(found.x) if least + AT_BOUND < found.x < most - AT_BOUND else None


@lru_cache
def claimed_exponent(claim: str, lengths: tuple[int, ...]) -> float | None:
    """Return the p that `find_exponent` finds for a claim such as "n log n" at some lengths.

    Returns None where the claim is not of the form n, n^1.5 or n log n.
    """
    parts = CLAIM.fullmatch(claim)
    if parts is None:
        return None
    power = float(parts["power"] or 1)

    def cost(length: int) -> float:
        return float(length**power) * (math.log(length) if parts["log"] else 1.0)

    return find_exponent({length: cost(length) for length in lengths})


def _table(rounds: Sequence[Sweep]) -> tuple[list[int], list[list[float]], list[float]]:
    """Return the lengths that all rounds have, the costs of each round, and their medians."""
    lengths = sorted(set.intersection(*map(set, rounds))) if rounds else []
    sweeps = [[costs[length] for length in lengths] for costs in rounds]
    return lengths, sweeps, [statistics.median(costs) for costs in zip(*sweeps, strict=True)]


def _estimate(value: float, by_round: Sequence[float], misfit: float | None) -> Estimate:
    """Return an estimate whose interval adds the spread of the rounds and the error of the fit."""
    spread = margin_of_mean(by_round)
    margin = None if spread is None or misfit is None else math.hypot(spread, misfit)
    return Estimate.around(value, margin, len(by_round))


def _design(
    lengths: Sequence[int], powers: Sequence[float], weights: Sequence[float]
) -> tuple[Array, Array]:
    """Return the powers of each length divided by its weight, and the scale of each column."""
    import numpy as np

    longest, each = float(max(lengths)), np.array(powers)
    shares = (np.array(lengths)[:, None] / longest) ** each
    return shares / np.array(weights)[:, None], longest**each


def _fit(
    lengths: Sequence[int],
    costs: Sequence[float],
    powers: Sequence[float],
    weights: Sequence[float],
) -> tuple[list[float], list[float] | None]:
    """Return the best coefficients of powers of the length, and their margins.

    Errors are divided by `weights`. There are no margins where the lengths are as few as the
    coefficients.
    """
    import numpy as np

    design, scales = _design(lengths, powers, weights)
    wanted = np.array(costs) / np.array(weights)
    found: Any = np.linalg.lstsq(design, wanted, rcond=None)[0]
    values = [float(value) for value in found / scales]
    freedom = len(lengths) - len(powers)
    if freedom < 1:
        return values, None
    squares = float(((design @ found - wanted) ** 2).sum()) / freedom
    errors = np.sqrt(squares * np.diag(np.linalg.inv(design.T @ design))) / scales
    return values, [margin_of_error(freedom, float(error)) for error in errors]


def _fit_power(lengths: Sequence[int], costs: Sequence[float], power: float) -> tuple[float, float]:
    """Return b and the summed squares of relative errors where a + b·(n / longest)ᵖ fits best."""
    import numpy as np
    from scipy.optimize import nnls

    (_, slope), norm = nnls(_design(lengths, (0, power), costs)[0], np.ones(len(costs)))
    return float(slope), float(norm) ** 2


def _exponent_margin(lengths: Sequence[int], costs: Sequence[float], power: float) -> float | None:
    """Return the margin of p that the errors of the fit give; None for three lengths."""
    import numpy as np

    freedom = len(costs) - 3
    if freedom < 1:
        return None
    slope, squares = _fit_power(lengths, costs, power)
    # Linearise: how the fit responds to p beyond what a and b absorb.
    design, _ = _design(lengths, (0, power), costs)
    moved = slope * design[:, 1] * np.log(np.array(lengths) / max(lengths))
    left = moved - design @ np.linalg.lstsq(design, moved, rcond=None)[0]
    return margin_of_error(freedom, math.sqrt(squares / freedom / float((left**2).sum())))
