"""Records → one tidy frame: a row a record, a column a field or figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

import pandas as pd

from suite.contracts import PROTOCOL
from suite.record import Record

FIGURES = {
    "training.peak_memory_bytes": ("training", "peak_memory_bytes"),
    "training.tokens_per_second": ("training", "tokens_per_second"),
    "inference.tokens_per_second": ("inference", "tokens_per_second"),
}

SETTING = [
    "mode",
    "task",
    "source",
    "form",
    "model_size",
    "budget",
    "precision",
    "backend",
    "threads",
    "batch",
]
"""What the cells of one comparison share."""


def make_frame(records: Iterable[Record], metrics: Mapping[str, str]) -> pd.DataFrame:
    """Return the records of this protocol; `quality` is the test figure of the primary metric."""
    rows = []
    for record in records:
        if record.protocol != PROTOCOL:
            continue
        cell = asdict(record.cell)
        options = cell.pop("options")
        metric = metrics.get(record.cell.task or "")
        rows.append(
            {
                **cell,
                "line": _line_name(record.cell.architecture, options),
                "batch": "batch 1" if cell["batch_size"] == 1 else "fixed tokens",
                "status": str(record.status),
                "reason": record.reason or "",
                "metric": metric or "",
                "quality": record.metric(metric) if metric else None,
                **{name: record.measured(*path) for name, path in FIGURES.items()},
            }
        )
    frame = pd.DataFrame(rows)
    for name in ("task", "source"):
        if name in frame:
            frame[name] = frame[name].fillna("")
    return frame


def summarize(frame: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Return mean, lowest, highest and n of a figure for each line and length."""
    known = frame.dropna(subset=[figure])
    grouped = known.groupby(["line", "sequence_length"], sort=True)[figure]
    return grouped.agg(["mean", "min", "max", "count"]).reset_index()


def _line_name(architecture: str, options: Mapping[str, object]) -> str:
    extras = " ".join(f"{name}={value}" for name, value in sorted(options.items()))
    return f"{architecture} ({extras})" if extras else architecture
