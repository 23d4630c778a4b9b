"""Ratios of costs: to the same cell on another backend, and to a baseline entry.

Rounds are paired, and an interval is over the pairs: drift of the machine cancels out of a pair
that ran side by side.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from suite.analysis.boards import BASELINE
from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Estimate, Figure, ratio_interval
from suite.analysis.sessions import CostSession, with_spread
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


def paired_ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """Return the ratio of each repeat that both have."""
    return [ours[number] / theirs[number] for number in sorted(ours.keys() & theirs.keys())]


def backend_ratios(comparison: Comparison, baseline: Comparison) -> list[Ratio]:
    """Return the ratio of each entry, length and measure to the baseline's, paired by round."""
    theirs = {(entry.name, *entry.place): entry for entry in baseline.entries}
    found = []
    for ours in sorted(comparison.entries, key=lambda entry: (entry.name, *entry.place)):
        other = theirs.get((ours.name, *ours.place))
        sessions = _common_sessions(ours, other) if other else None
        if other is None or sessions is None:
            continue
        for measure in sorted(COSTS):
            costs, other_costs = ours.costs(measure, sessions[0]), other.costs(measure, sessions[1])
            if ratios := paired_ratios(costs, other_costs):
                runs, other_runs = ours.sessions[sessions[0]], other.sessions[sessions[1]]
                apart = max(
                    abs(runs[number].record.started_at - other_runs[number].record.started_at)
                    for number in costs.keys() & other_costs.keys()
                )
                ratio, hours = ratio_interval(ratios), apart / timedelta(hours=1)
                found.append(Ratio(ours.name, ours.sequence_length, measure, ratio, hours))
    return found


def _common_sessions(
    ours: EntryAtLength, theirs: EntryAtLength
) -> tuple[CostSession, CostSession] | None:
    """Return the sessions of two entries that are one invocation on one machine.

    The chosen sessions come first, then the newest. The two may differ in the backend's version.
    """
    pairs = [
        (one, other)
        for one in ours.sessions
        for other in theirs.sessions
        if one.invocation == other.invocation and one.used_machine == other.used_machine
    ]
    return max(pairs, key=lambda pair: (pair[0] == ours.session, pair[0].started_at), default=None)


def relative_costs(
    comparison: Comparison, lengths: Collection[int] = LENGTHS, baseline: str = BASELINE
) -> dict[tuple[str, int], dict[str, Figure]]:
    """Return the costs as multiples of those of a baseline entry, by entry and length, by measure.

    The costs at a length are of one session, which may differ from that at another. Only entries of
    equal batch size are compared. A cost is missing where the entry or the baseline has no quiet
    measurement in the session. `sessions` is the number of sessions on equal machines that measured
    both, and `between_sessions` the standard deviation of the logarithms of their ratios.
    """
    bases = {entry.place: entry for entry in comparison.entries if entry.name == baseline}
    found: dict[tuple[str, int], dict[str, Figure]] = {}
    for entry in comparison.entries:
        if entry.sequence_length in lengths:
            base = bases.get(entry.place)
            costs = {name: _relative(entry, base, name) for name in COSTS if base}
            found[entry.name, entry.sequence_length] = {
                name: cost for name, cost in costs.items() if cost
            }
    return found


def _relative(entry: EntryAtLength, base: EntryAtLength, measure: str) -> Figure | None:
    def ratios(session: CostSession) -> list[float]:
        return paired_ratios(entry.costs(measure, session), base.costs(measure, session))

    own = ratios(entry.session) if entry.session else []
    if not own:
        return None
    by_session = [of for session in entry.like_sessions() if (of := ratios(session))]
    means = [math.exp(math.fsum(map(math.log, of)) / len(of)) for of in by_session]
    return with_spread(Figure.of(ratio_interval(own), own), means)


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

    def precedence(one: Comparison) -> tuple[int, bool, str]:
        count = sum(map(len, relative_costs(one).values()))
        started = one.session.started_at.isoformat() if one.session else ""
        return count, not one.key.sequences_per_batch, started

    probes = [
        one
        for one in comparisons
        if one.key.mode is Mode.PROBE
        and one.key.track != Track.OPEN
        and (one.key.form, one.key.model_size, one.key.precision, one.key.backend) == wanted
        and one.session is not None
    ]
    return max(probes, key=precedence, default=None)
