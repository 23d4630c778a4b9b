"""Costs as multiples of a baseline's, at a few lengths: what the leaderboard prints of costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from suite.analysis.aggregate import Comparison
from suite.analysis.boards import BASELINE
from suite.analysis.points import Point
from suite.analysis.sessions import CostSession, spread
from suite.analysis.statistics import Figure, ratio_interval
from suite.api import Mode, Track
from suite.records.measures import COSTS

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
        (point.sequence_length, point.batch_size): point
        for point in comparison.points
        if point.entry == baseline
    }
    found = []
    for point in sorted(comparison.points, key=lambda one: (one.entry, one.sequence_length)):
        if point.sequence_length in wanted:
            base = bases.get((point.sequence_length, point.batch_size))
            costs = {name: _relative(point, base, name) if base else None for name in measures}
            found.append(RelativeCosts(point.entry, point.sequence_length, point.batch_size, costs))
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


def _relative(point: Point, base: Point, measure: str) -> Figure | None:
    ratios = _ratios(point, base, measure, point.session)
    if not ratios:
        return None
    by_session = [_ratios(point, base, measure, session) for session in point.like_sessions()]
    means = [math.exp(math.fsum(map(math.log, of)) / len(of)) for of in by_session if of]
    between = spread(means)
    return Figure.of(
        ratio_interval(ratios),
        ratios,
        sessions=between.num_sessions,
        between_sessions=between.deviation,
    )


def _ratios(point: Point, base: Point, measure: str, session: CostSession | None) -> list[float]:
    """Return the ratio of each round that both have in a session."""
    if session is None:
        return []
    ours, theirs = point.costs(measure, session), base.costs(measure, session)
    return [ours[number] / theirs[number] for number in sorted(ours.keys() & theirs.keys())]
