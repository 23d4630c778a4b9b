"""Comparisons → columns: one row for each record, and one for each point and measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import Point
from suite.analysis.pairwise import QUALITY
from suite.records.measures import CHARTED, phase_of
from suite.records.schema import RecordSummary

Columns = dict[str, list[Any]]
"""A table by the names of its columns, without pandas, which takes half a second to import."""


def record_frame(comparisons: Sequence[Comparison]) -> Columns:
    """Return a row for each standing record: its place, its status and its figures.

    A cost that does not count has no figure: noisy, of another session, or of older code.
    """
    names = ["comparison", "line", "architecture", "sequence_length", "batch_size"]
    names += ["repeat", "status", "reason", "run_id", QUALITY]
    names += CHARTED
    rows = [
        (
            *(number, point.entry, point.architecture, point.sequence_length, point.batch_size),
            *(record.repeat, str(record.status), record.reason or "", record.run_id),
            record.metric(point.metric.name, point.split) if point.metric else None,
            *(_counted_cost(point, record, measure) for measure in CHARTED),
        )
        for number, comparison in enumerate(comparisons)
        for point in comparison.points
        for record in point.records
    ]
    return _columns(names, rows)


def _counted_cost(point: Point, record: RecordSummary, measure: str) -> float | None:
    counted = point.quiet_runs(phase_of(measure)).get(record.repeat)  # few trainings have any
    return record.cost(measure) if counted and counted.run_id == record.run_id else None


def point_frame(comparisons: Sequence[Comparison]) -> Columns:
    """Return a row for each point and measure: the figure, its 95% interval, n, and noisy runs.

    Noisy runs are counted and never aggregated.
    """
    rows = []
    for number, comparison in enumerate(comparisons):
        for point in sorted(comparison.points, key=lambda one: (one.entry, one.sequence_length)):
            place = (number, point.entry, point.sequence_length, point.batch_size)
            rows += [(*place, *row) for row in _figures_of(point)]
    names = ["comparison", "line", "sequence_length", "batch_size"]
    names += ["measure", "value", "low", "high", "n", "noisy"]
    return _columns(names, rows)


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _figures_of(
    point: Point,
) -> Iterator[tuple[str, float, float | None, float | None, int, int]]:
    """Yield a point's figures: the measure, the figure, and how many runs were noisy."""
    for measure in CHARTED:
        if point.quiet_runs(phase_of(measure)) and (figure := point.cost(measure)):
            yield (measure, figure.value, figure.low, figure.high, figure.n, point.num_noisy)
    if score := point.score():
        yield (QUALITY, score.value, score.low, score.high, score.n, 0)
