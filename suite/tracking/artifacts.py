"""Files of a cell's run: a picture of its learning curves, and the predictions of examples."""

from __future__ import annotations

import csv
import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from suite.records.schema import Curve, Record
from suite.tracking.runs import cell_title, steps_of

PREDICTIONS = ("input", "expected", "answer", "right")
"""The columns of the file of predictions."""
SIZE_INCHES = (8.0, 3.2)
"""The size of the picture; each curve has a panel."""


def curve_picture(record: Record) -> Figure | None:
    """Return the learning curves of a record, each in a panel; None if it has none."""
    curves = {name: curve for name, curve in record.curves.items() if len(curve.tokens) > 1}
    if not curves:
        return None
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(cell_title(record), parse_math=False)
    for axes, (name, curve) in zip(figure.subplots(1, len(curves), squeeze=False)[0],
                                   curves.items(), strict=True):  # fmt: skip
        _draw(axes, record, name, curve)
    return figure


def _draw(axes: Any, record: Record, name: str, curve: Curve) -> None:
    steps, unit = steps_of(record, curve)
    points = [
        (step, value) for step, value in zip(steps, curve.values, strict=True) if value is not None
    ]
    axes.plot(*zip(*points, strict=True), marker=".")
    axes.set_title(name.replace("_", " "), parse_math=False)
    axes.set_xlabel(unit)
    axes.grid(alpha=0.3)


def predictions_table(record: Record) -> str | None:
    """Return the predictions of examples on the scored split, as CSV; None if there are none."""
    split = "test" if record.cell.scores_test else "validation"
    examples: Any = record.reports.get(split, {}).get("examples") or []
    if not examples:
        return None
    text = io.StringIO()
    writer = csv.DictWriter(text, PREDICTIONS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(examples)
    return text.getvalue()
