"""Ratios: the cost of a probe on one backend and in one precision, against the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from suite.analysis.aggregate import Comparison
from suite.analysis.points import Point
from suite.analysis.sessions import CostSession
from suite.analysis.statistics import Estimate, ratio_interval
from suite.records.measures import COSTS, phase_of


@dataclass(frozen=True, slots=True)
class Ratio:
    """A cost as a multiple of the same cell's on another backend or in another precision.

    Rounds are paired and the interval is over the pairs: drift of the machine cancels out of a pair
    that ran side by side. `hours_apart` is the largest time between the starts of a pair.
    """

    entry: str
    sequence_length: int
    measure: str
    ratio: Estimate
    hours_apart: float

    def to_dict(self) -> dict[str, Any]:
        """Return the ratio as JSON shows it."""
        return {
            "line": self.entry,
            "sequence_length": self.sequence_length,
            "measure": self.measure,
            "value": self.ratio.value,
            "low": self.ratio.low,
            "high": self.ratio.high,
            "rounds": self.ratio.n,
            "hours_apart": self.hours_apart,
        }


def ratios(comparison: Comparison, baseline: Comparison) -> list[Ratio]:
    """Return the ratio of each entry, length and measure to the baseline's, paired by round."""
    theirs = {_point_key(point): point for point in baseline.points}
    return [
        ratio
        for point in sorted(comparison.points, key=lambda one: (one.entry, _point_key(one)))
        if _point_key(point) in theirs
        for measure in sorted(COSTS)
        for ratio in _ratio(point, theirs[_point_key(point)], measure)
    ]


def _point_key(point: Point) -> tuple[str, int, int]:
    return point.entry, point.sequence_length, point.batch_size


def _ratio(ours: Point, theirs: Point, measure: str) -> Sequence[Ratio]:
    """Return the ratio of two points, or nothing where they share no round of a session."""
    phase = phase_of(measure)
    session, their_session = _common_session(ours, theirs)
    values = ours.costs(measure, session) if session else {}
    others = theirs.costs(measure, their_session) if their_session else {}
    rounds = sorted(values.keys() & others.keys())
    if not rounds:
        return ()
    found = ratio_interval([values[number] / others[number] for number in rounds])
    runs, other_runs = ours.quiet_runs(phase, session), theirs.quiet_runs(phase, their_session)
    apart = max(abs(runs[n].started_at - other_runs[n].started_at) for n in rounds)
    return [Ratio(ours.entry, ours.sequence_length, measure, found, apart / timedelta(hours=1))]


def _common_session(ours: Point, theirs: Point) -> tuple[CostSession | None, CostSession | None]:
    """Return the sessions of two points that are one invocation on one machine.

    The chosen sessions come first, then the newest. The two may differ in the backend's version.
    """

    def same(one: CostSession, other: CostSession) -> bool:
        return one.invocation == other.invocation and one.used_machine == other.used_machine

    pairs = [(one, other) for one in ours.sessions for other in theirs.sessions if same(one, other)]
    if not pairs:
        return None, None
    return max(pairs, key=lambda pair: (pair[0] == ours.session, pair[0].started_at))
