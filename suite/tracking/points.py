"""The values of a length run: one per metric and sequence length."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from suite.records.schema import RecordSummary
from suite.tracking.runs import metrics_of

Points = Mapping[str, Mapping[int, float]]
"""Metric → sequence length → value."""

NOT_CHARTED = ("compile_seconds", "compile_peak_memory_bytes", "padded_tokens_per_second")
"""Metrics that length runs leave out, to keep the number of charts in MLflow small."""


def points_by_length(group: Iterable[RecordSummary]) -> Points:
    """Return the mean over seeds and rounds per metric and sequence length."""
    samples: dict[str, dict[int, list[float]]] = {}
    for record in group:
        for name, value in metrics_of(record).items():
            if name.startswith("validation.") or name.endswith(NOT_CHARTED):
                continue
            samples.setdefault(name, {}).setdefault(record.cell.sequence_length, []).append(value)
    return {
        name: {length: statistics.fmean(values) for length, values in sorted(by_length.items())}
        for name, by_length in samples.items()
    }
