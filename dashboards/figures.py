"""The tidy frame of one comparison → its figure: quality, memory and speed against length."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.frame import summarize

# Okabe and Ito's colours, which the colour-blind can tell apart; symbols for print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "x", "hexagon")
MEBIBYTE = 2**20
NOT_RUN = ("unsupported", "skipped")
FAR_APART = 5
"""A plot whose largest value is more than so many times its smallest has a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot: which figure, what stands on its axis, and what divides the values."""

    figure: str
    title: str
    unit: str
    scale: float = 1.0
    may_be_logarithmic: bool = False


def panels_for(frame: pd.DataFrame) -> list[Panel]:
    """Return the plots of a comparison: a probe has no quality."""
    metric = frame["metric"].iloc[0]
    panels = [Panel("quality", f"Test {html.escape(metric)}", "")] if metric else []
    panels.append(
        Panel("training.peak_memory_bytes", "Peak training memory", "MiB", MEBIBYTE, True)
    )
    panels.append(Panel("training.tokens_per_second", "Training throughput", "tokens/s", 1.0, True))
    if not metric:
        panels.append(
            Panel("inference.tokens_per_second", "Inference throughput", "tokens/s", 1.0, True)
        )
    return panels


def draw_comparison(frame: pd.DataFrame, lines: Sequence[str]) -> go.Figure:
    """Draw one line an architecture in each plot; what did not run well is marked on the axis.

    Points are means over seeds or rounds; bars reach from the lowest to the highest.
    """
    panels = panels_for(frame)
    lengths = sorted(frame["sequence_length"].unique())
    figure = make_subplots(rows=1, cols=len(panels), subplot_titles=[p.title for p in panels])
    for column, panel in enumerate(panels, start=1):
        summary = summarize(frame, panel.figure)
        for line in sorted(frame["line"].unique()):
            points = summary[summary["line"] == line]
            figure.add_trace(
                _trace(points, panel, line, lines.index(line), first=column == 1),
                row=1,
                col=column,
            )
        figure.update_xaxes(
            type="log", tickvals=lengths, ticktext=[str(length) for length in lengths],
            title_text="sequence length", row=1, col=column,
        )  # fmt: skip
        figure.update_yaxes(**_value_axis(summary, panel), row=1, col=column)
        _mark_missing(figure, frame, column)
    figure.update_layout(
        template="plotly_white",
        height=440,
        margin={"l": 60, "r": 20, "t": 60, "b": 120},
        legend={"orientation": "h", "y": -0.38, "x": 0},
        hovermode="closest",
        dragmode=False,
    )
    return figure


def _value_axis(summary: pd.DataFrame, panel: Panel) -> dict[str, object]:
    """Return a plot's vertical axis: from zero, or logarithmic where values lie far apart."""
    values = summary["mean"] / panel.scale
    far_apart = len(values) > 0 and values.min() > 0 and values.max() / values.min() > FAR_APART
    if not (panel.may_be_logarithmic and far_apart):
        return {"title_text": panel.unit, "rangemode": "tozero"}
    decades = range(math.floor(math.log10(values.min())), math.ceil(math.log10(values.max())) + 1)
    ticks = [digit * 10**decade for decade in decades for digit in (1, 2, 5)]
    return {
        "title_text": panel.unit,
        "type": "log",
        "tickvals": ticks,
        "ticktext": [f"{tick:,}" for tick in ticks],
    }


def _trace(points: pd.DataFrame, panel: Panel, line: str, index: int, first: bool) -> go.Scatter:
    color = COLORS[index % len(COLORS)]
    mean = points["mean"] / panel.scale
    digits = ".3f" if panel.figure == "quality" else ",.0f"
    return go.Scatter(
        x=points["sequence_length"].tolist(),
        y=mean.tolist(),
        customdata=points["count"].tolist(),
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (points["max"] / panel.scale - mean).tolist(),
            "arrayminus": (mean - points["min"] / panel.scale).tolist(),
            "thickness": 1,
        },
        mode="lines+markers",
        name=html.escape(line),
        legendgroup=line,
        showlegend=first,
        line={"color": color, "width": 2},
        marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 9, "color": color},
        hovertemplate=f"%{{x}}: %{{y:{digits}}} {panel.unit} (n=%{{customdata}})",
    )


def _mark_missing(figure: go.Figure, frame: pd.DataFrame, column: int) -> None:
    """Put a cross at the foot of the plot where a cell did not end well."""
    bad = frame[~frame["status"].isin(["ok", *NOT_RUN])]
    for length, group in bad.groupby("sequence_length"):
        told = [f"{row.line}: {row.status}" for row in group.itertuples()]
        axis = "" if column == 1 else str(column)
        figure.add_annotation(
            x=_log10(length), y=0, xref=f"x{axis}", yref=f"y{axis} domain", text="✕",
            showarrow=False, yanchor="bottom", font={"color": "#B00020", "size": 14},
            hovertext="<br>".join(html.escape(text) for text in sorted(set(told))),
        )  # fmt: skip


def _log10(value: object) -> float:
    """Return a length's place on a logarithmic axis, where annotations are set by exponent."""
    return math.log10(float(str(value)))
