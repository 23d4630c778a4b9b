"""Growth: how the cost of one sequence rises with its length n.

A cost has an exponent: the p of the best fit a + b·nᵖ. Full attention is fitted as a + αn + βn²
too: its feed-forward layers cost αn and its attention βn², and the exponent of their sum depends on
the lengths. The time of a generated token has a slope.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate
from suite.api import Architecture, Cell, Recipe, build_request
from suite.records.measures import phases_of
from suite.records.model_sizes import find_model_size

FULL_ATTENTION = "n^2"
"""The claim whose costs are fitted as a polynomial."""
GENERATED_TOKEN = "generation.step_seconds"
"""The cost that has a slope."""
CLAIM_TOLERANCE = 0.15
"""Caches, the allocator and the clock may bend a curve by this much."""
MIN_LENGTHS = 3
"""The fewest lengths that are fitted."""


@dataclass(frozen=True, slots=True)
class Quadratic:
    """The cost of one sequence of n positions from `shortest` to `longest`: fixed + αn + βn².

    `linear` is α and `squared` is β, in the unit of the cost; none is negative.
    """

    linear: Estimate
    squared: Estimate
    fixed: float
    shortest: int
    longest: int


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of a cost with the length, as measured and as the architecture claims it.

    `exponent` is None where the costs do not determine it. `claimed_exponent` is that of the claim
    over the same lengths: "n log n" lies a little above 1. `contradicted` is true where the low end
    of the interval exceeds the claim by more than `CLAIM_TOLERANCE`. Where the claim is "n^2",
    `quadratic` is the fit to show. `slope` is in seconds per position of context. `is_disturbed`
    marks a growth that noisy runs are part of: it contradicts no claim.
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
    is_disturbed: bool = False

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
    comparison: Comparison, architectures: Mapping[str, Architecture] | None
) -> list[Growth]:
    """Return the growth of the cost of one sequence, of each entry of a comparison of probes.

    Each round of the comparison's session is a sweep over the lengths. The growth of memory is
    known only where all batches are of one size.
    """
    fixed_batch = len({entry.batch_size for entry in comparison.entries}) == 1
    names = ("peak_memory_bytes", "step_seconds") if fixed_batch else ("step_seconds",)
    measures = [f"{phase}.{name}" for phase in phases_of(comparison.key.mode) for name in names]
    cells = {entry.name: entry.cell for entry in comparison.entries}
    costs: Any = comparison.costs(measures, noisy=True)
    costs = costs[costs["session"] == comparison.session].sort_values("batch_size")
    costs = costs.assign(cost=costs["value"] / costs["batch_size"])
    fitted = []
    for (name, measure), rows in costs.groupby(["entry", "measure"]):
        lengths, rounds = _sweeps(rows[~rows["noisy"]])
        if is_disturbed := len(lengths) < MIN_LENGTHS:
            lengths, rounds = _sweeps(rows)
        if len(lengths) >= MIN_LENGTHS:
            architecture = (architectures or {}).get(cells[name].architecture)
            claim = _claim(architecture, cells[name], measure)
            growth = _fitted(name, measure, lengths, rounds, claim)
            contradicted = growth.contradicted and not is_disturbed
            fitted.append(replace(growth, is_disturbed=is_disturbed, contradicted=contradicted))
    return fitted


def _sweeps(rows: Any) -> tuple[list[int], Any]:
    """Return the lengths that all rounds measured, and the costs of each round at them.

    The last of several batch sizes at a length counts.
    """
    sweeps = rows.pivot_table(
        index="repeat", columns="sequence_length", values="cost", aggfunc="last"
    ).dropna(axis="columns")
    return sweeps.columns.tolist(), sweeps.to_numpy()


def _claim(architecture: Architecture | None, cell: Cell, measure: str) -> str | None:
    if architecture is None or measure.startswith("generation."):
        return None  # the claims are those of a whole sequence
    size = find_model_size(cell.model_size)
    request = build_request(cell, size, Recipe(), None, architecture)
    time, memory = architecture.claimed_costs(request)
    return time if measure.endswith("seconds") else memory


def _fitted(
    entry: str, measure: str, lengths: Sequence[int], rounds: Any, claim: str | None
) -> Growth:
    from suite.analysis import growth_fits as fits  # not at the top: listings need no scipy

    if measure == GENERATED_TOKEN:
        slope = fits.fit_slope(lengths, rounds)
        return Growth(entry, measure, None, len(rounds), lengths, slope=slope)
    exponent = fits.fit_exponent(lengths, rounds)
    low = exponent.low if exponent else None
    claimed = fits.claimed_exponent(claim, tuple(lengths)) if claim else None
    quadratic = None
    if claim == FULL_ATTENTION and (parts := fits.fit_quadratic(lengths, rounds)):
        fixed, linear, squared = parts
        quadratic = Quadratic(linear, squared, fixed, lengths[0], lengths[-1])
    return Growth(
        entry=entry,
        measure=measure,
        exponent=exponent,
        rounds=len(rounds),
        lengths=lengths,
        claim=claim,
        claimed_exponent=claimed,
        contradicted=low is not None and claimed is not None and low > claimed + CLAIM_TOLERANCE,
        quadratic=quadratic,
    )
