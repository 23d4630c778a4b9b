"""The figure of a point: a mean over repeats, with its interval and its range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from suite.analysis.statistics import Estimate


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a point: the mean over its repeats, a 95% interval, and the range.

    The mean of a cost is geometric. Without an interval, `low` and `high` hold None. All runs of a
    cost are of one session; `sessions` is the number of sessions that measured it, and
    `between_sessions` the standard deviation of the logarithms of their means (0.03: about 3%).
    `missing` says how many repeats have no figure, and why ("1 of 3 seeds: timed_out").
    """

    value: float
    low: float | None
    high: float | None
    n: int
    lowest: float
    highest: float
    sessions: int = 1
    between_sessions: float | None = None
    missing: str = ""

    @property
    def estimate(self) -> Estimate:
        """The mean, its interval and the number of repeats."""
        return Estimate(self.value, self.low, self.high, self.n)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON shows them."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def make_figure(estimate: Estimate, values: Sequence[float]) -> Figure:
    """Return the figure of an estimate and of the values that it comes from."""
    return Figure(estimate.value, estimate.low, estimate.high, estimate.n, min(values), max(values))
