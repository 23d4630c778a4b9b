"""Ratios of costs: to the same cell on another backend, and to a baseline entry.

Rounds are paired, and an interval is over the pairs: drift of the machine cancels out of a pair
that ran side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from suite.analysis.boards import BASELINE
from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Estimate, Figure, ratio_interval
from suite.analysis.sessions import CostSession, spread
from suite.api import Mode, Track
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


def backend_ratios(comparison: Comparison, baseline: Comparison) -> list[Ratio]:
    """Return the ratio of each entry, length and measure to the baseline's, paired by round."""
    theirs = {_point_key(entry): entry for entry in baseline.entries}
    return [
        ratio
        for entry in sorted(comparison.entries, key=lambda one: (one.name, _point_key(one)))
        if _point_key(entry) in theirs
        for measure in sorted(COSTS)
        for ratio in _ratio(entry, theirs[_point_key(entry)], measure)
    ]


def _point_key(entry: EntryAtLength) -> tuple[str, int, int]:
    return entry.name, entry.sequence_length, entry.batch_size


def _ratio(ours: EntryAtLength, theirs: EntryAtLength, measure: str) -> Sequence[Ratio]:
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
    return [Ratio(ours.name, ours.sequence_length, measure, found, apart / timedelta(hours=1))]


def _common_session(
    ours: EntryAtLength, theirs: EntryAtLength
) -> tuple[CostSession | None, CostSession | None]:
    """Return the sessions of two points that are one invocation on one machine.

    The chosen sessions come first, then the newest. The two may differ in the backend's version.
    """

    def same(one: CostSession, other: CostSession) -> bool:
        return one.invocation == other.invocation and one.used_machine == other.used_machine

    pairs = [(one, other) for one in ours.sessions for other in theirs.sessions if same(one, other)]
    if not pairs:
        return None, None
    return max(pairs, key=lambda pair: (pair[0] == ours.session, pair[0].started_at))


LENGTHS = (512, 8_192)


@dataclass(frozen=True, slots=True)
class RelativeCosts:
    """The relative costs of one entry at one length, by measure.

    A cost is a multiple of the baseline's, paired by round within one session. It is None where the
    entry or the baseline has no quiet measurement in the session.
    """

    entry: str
    sequence_length: int
    batch_size: int
    costs: Mapping[str, Figure | None]


def relative_costs(
    comparison: Comparison,
    lengths: Iterable[int] = LENGTHS,
    *,
    baseline: str = BASELINE,
    measures: Iterable[str] = tuple(COSTS),
) -> list[RelativeCosts]:
    """Return the costs of each entry relative to the baseline's, at each length and batch size.

    The costs at a length are of one session, which may differ from that at another. Only points of
    equal batch size are compared.

    Args:
        comparison: a comparison of probes, or of trainings.
        lengths: the sequence lengths; those that nothing was measured at are left out.
        baseline: the name of the entry with ratio 1.
        measures: the measures, as "training.tokens_per_second".
    """
    wanted = set(lengths)
    bases = {
        (entry.sequence_length, entry.batch_size): entry
        for entry in comparison.entries
        if entry.name == baseline
    }
    found = []
    for entry in sorted(comparison.entries, key=lambda one: (one.name, one.sequence_length)):
        if entry.sequence_length in wanted:
            base = bases.get((entry.sequence_length, entry.batch_size))
            costs = {name: _relative(entry, base, name) if base else None for name in measures}
            found.append(RelativeCosts(entry.name, entry.sequence_length, entry.batch_size, costs))
    return found


def choose_probes(
    comparisons: Iterable[Comparison],
    *,
    form: str,
    model_size: str,
    precision: str,
    backend: str,
    lengths: Iterable[int] = LENGTHS,
    baseline: str = BASELINE,
) -> Comparison | None:
    """Return the comparison of probes for the relative costs, or None if there are no probes.

    The comparison whose `relative_costs` has the most values is returned. Among equals, a batch
    with the same number of positions at every length is preferred, then the newest session.
    """
    wanted = tuple(lengths)
    probes = [
        one
        for one in comparisons
        if one.key.mode is Mode.PROBE
        and one.key.track != Track.OPEN
        and (one.key.form, one.key.model_size) == (form, model_size)
        and (one.key.precision, one.key.backend) == (precision, backend)
        and one.session is not None
    ]

    def precedence(one: Comparison) -> tuple[int, bool, str]:
        known = relative_costs(one, wanted, baseline=baseline)
        count = sum(cost is not None for of in known for cost in of.costs.values())
        started = one.session.started_at.isoformat() if one.session else ""
        return count, not one.key.sequences_per_batch, started

    return max(probes, key=precedence, default=None)


def _relative(entry: EntryAtLength, base: EntryAtLength, measure: str) -> Figure | None:
    ratios = _ratios(entry, base, measure, entry.session)
    if not ratios:
        return None
    by_session = [_ratios(entry, base, measure, session) for session in entry.like_sessions()]
    means = [math.exp(math.fsum(map(math.log, of)) / len(of)) for of in by_session if of]
    between = spread(means)
    return Figure.of(
        ratio_interval(ratios),
        ratios,
        sessions=between.num_sessions,
        between_sessions=between.deviation,
    )


def _ratios(
    entry: EntryAtLength, base: EntryAtLength, measure: str, session: CostSession | None
) -> list[float]:
    """Return the ratio of each round that both have in a session."""
    if session is None:
        return []
    ours, theirs = entry.costs(measure, session), base.costs(measure, session)
    return [ours[number] / theirs[number] for number in sorted(ours.keys() & theirs.keys())]
