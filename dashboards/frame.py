"""Comparisons → columns: one row for each record, and one for each point and measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from suite.analysis.aggregate import Comparison, Point
from suite.analysis.findings import QUALITY
from suite.records.measures import phase_of
from suite.records.schema import RecordSummary

MEBIBYTE = 2**20
Columns = dict[str, list[Any]]
"""A table by the names of its columns, without pandas, which takes half a second to import."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure that can be drawn.

    `key` is its name in the record. A figure in the record, divided by `scale`, is in `unit`.
    """

    key: str
    title: str
    unit: str
    scale: float = 1.0
    higher_is_better: bool = False


MEASURES = (
    Measure("training.tokens_per_second", "Training throughput", "tokens/s", 1, True),
    Measure("training.peak_memory_bytes", "Peak training memory", "MiB", MEBIBYTE),
    Measure("inference.tokens_per_second", "Inference throughput", "tokens/s", 1, True),
    Measure("inference.peak_memory_bytes", "Peak inference memory", "MiB", MEBIBYTE),
    Measure("inference.latency_p50_seconds", "Latency of one sequence, median", "ms", 1e-3),
    Measure("training.step_seconds", "Time of a training step", "s"),
    Measure(
        "training.model_flops_utilization",
        "Model FLOPs utilization (share of the machine's matrix-product rate)",
        "%",
        0.01,
        True,
    ),
    Measure("prefill.tokens_per_second", "Prefill throughput", "tokens/s", 1, True),
    Measure("generation.latency_p50_seconds", "Latency of one generated token, median", "ms", 1e-3),
    Measure("generation.state_bytes", "Size of the decoding state", "KiB", 2**10),
    Measure("generation.step_seconds", "Time per generated token", "ms", 1e-3),
    Measure("inference.step_seconds", "Time of an inference step", "s"),
)


def record_frame(comparisons: Sequence[Comparison]) -> Columns:
    """Return a row for each standing record: its place, its status and its figures.

    A cost that does not count has no figure: noisy, of another session, or of older code.
    """
    names = ["comparison", "line", "architecture", "sequence_length", "batch_size"]
    names += ["repeat", "status", "reason", "run_id", QUALITY]
    names += [measure.key for measure in MEASURES]
    rows = [
        (
            *(number, point.entry, point.architecture, point.sequence_length, point.batch_size),
            *(record.repeat, str(record.status), record.reason or "", record.run_id),
            record.metric(point.metric.name, point.split) if point.metric else None,
            *(_counted_cost(point, record, measure.key) for measure in MEASURES),
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
    for measure in MEASURES:
        if point.quiet_runs(phase_of(measure.key)) and (figure := point.cost(measure.key)):
            yield (measure.key, figure.value, figure.low, figure.high, figure.n, point.num_noisy)
    if score := point.score():
        yield (QUALITY, score.value, score.low, score.high, score.n, 0)
