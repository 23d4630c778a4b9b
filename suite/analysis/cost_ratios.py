"""Ratios of costs: to the same cell on another backend, and to a baseline entry.

Rounds are paired, and an interval is over the pairs: drift of the machine cancels out of a pair
that ran side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from suite.analysis.boards import BASELINE
from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate, Figure, ratio_interval
from suite.analysis.frame import PLACE, cost_figures
from suite.api import Mode, Track
from suite.records.measures import COSTS

LENGTHS = (512, 8_192)
"""The lengths of relative costs."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A cost as a multiple of the same cell's on another backend or in another precision.

    `hours_apart` is the largest time between the starts of a pair.
    """

    entry: str
    sequence_length: int
    measure: str
    ratio: Estimate
    hours_apart: float

    def to_dict(self) -> dict[str, Any]:
        """Return the ratio as JSON shows it."""
        return {
            "entry": self.entry,
            "sequence_length": self.sequence_length,
            "measure": self.measure,
            "value": self.ratio.value,
            "low": self.ratio.low,
            "high": self.ratio.high,
            "rounds": self.ratio.n,
            "hours_apart": self.hours_apart,
        }


def backend_ratios(comparison: Comparison, baseline: Comparison) -> list[Ratio]:
    """Return the ratio of each entry, length and measure to the baseline's, paired by round.

    Both are of one invocation on one machine: the one whose costs are compared, or else the newest.
    The two may differ in the backend's version.
    """
    ours, theirs = (_costs_of_invocations(each) for each in (comparison, baseline))
    if ours.empty or theirs.empty:
        return []
    pairs = ours.merge(theirs, on=[*PLACE, "measure", "repeat", "invocation"])
    if pairs.empty:
        return []
    pairs = pairs.sort_values(["in_session_x", "session_started_x", "repeat"])
    pairs = pairs[pairs["invocation"] == pairs.groupby(PLACE)["invocation"].transform("last")]
    apart = (pairs["started_at_x"] - pairs["started_at_y"]).abs() / timedelta(hours=1)
    pairs = pairs.assign(ratio=pairs["value_x"] / pairs["value_y"], apart=apart)
    return [
        Ratio(
            name,
            length,
            measure,
            ratio_interval(rows["ratio"].tolist()),
            float(rows["apart"].max()),
        )
        for (name, length, _, measure), rows in pairs.groupby([*PLACE, "measure"])
    ]


def _costs_of_invocations(comparison: Comparison) -> Any:
    """Return the costs with the invocation on a machine and the start of each run."""
    costs: Any = comparison.costs(COSTS)
    return costs.assign(
        invocation=[(session.invocation, *session.used_machine) for session in costs["session"]],
        session_started=[session.started_at for session in costs["session"]],
        started_at=[stored.record.started_at for stored in costs["stored"]],
    )


def relative_costs(
    comparison: Comparison, lengths: Collection[int] = LENGTHS, baseline: str = BASELINE
) -> dict[tuple[str, int], dict[str, Figure]]:
    """Return the costs as multiples of those of a baseline entry, by entry and length, by measure.

    The costs at a length are of one session, which may differ from that at another. Only entries of
    equal batch size are compared. A cost is missing where the entry or the baseline has no quiet
    measurement in the session. `sessions` is the number of sessions on equal machines that measured
    both, and `between_sessions` the standard deviation of the logarithms of their ratios.
    """
    costs = comparison.costs(COSTS)
    costs = costs[costs["sequence_length"].isin(lengths)]
    pair = ["sequence_length", "batch_size", "measure", "session", "repeat"]
    base = costs.loc[costs["entry"] == baseline, [*pair, "value"]]
    if base.empty:
        return {}
    pairs = costs.merge(base, on=pair, suffixes=("", "_base"))
    pairs = pairs.assign(value=pairs["value"] / pairs["value_base"])
    ratios: dict[tuple[str, int], dict[str, Figure]] = {}
    for (name, length, _, measure), figure in cost_figures(pairs, PLACE).items():
        ratios.setdefault((name, length), {})[measure] = figure
    return ratios


def choose_probes(
    comparisons: Iterable[Comparison],
    *,
    form: str,
    model_size: str,
    precision: str,
    backend: str,
) -> Comparison | None:
    """Return the comparison of probes for the relative costs, or None if there are no probes.

    The comparison whose `relative_costs` has the most values is returned. Among equals, a batch
    with the same number of positions at every length is preferred, then the newest session.
    """
    wanted = form, model_size, precision, backend

    def precedence(probes: Comparison) -> tuple[int, bool, str]:
        count = sum(map(len, relative_costs(probes).values()))
        started = probes.session.started_at.isoformat() if probes.session else ""
        return count, not probes.key.sequences_per_batch, started

    candidates = [
        comparison
        for comparison in comparisons
        if comparison.key.mode is Mode.PROBE
        and comparison.key.track != Track.OPEN
        and comparison.session is not None
        and wanted
        == (
            comparison.key.form,
            comparison.key.model_size,
            comparison.key.precision,
            comparison.key.backend,
        )
    ]
    return max(candidates, key=precedence, default=None)
