"""The preview image that social media show for a link to the site.

The image has the question, and one measure against length from one comparison. The bytes depend on
the figures and on the version of matplotlib alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from suite.api.files import atomic_write
from suite.records.measures import CHARTED, Shown

QUESTION = "Which sequence model should I use at my sequence length?"
WIDTH, HEIGHT, DOTS_PER_INCH = 1200, 630, 100
"""The size in pixels that the large cards of social media have."""
GREY = "#555555"
MAX_ENTRIES = 20
"""The number of entries that the legend has room for. The chart draws no others."""
MIN_ENTRIES = 2
"""A chart needs that many entries, each with that many lengths."""


def write_preview(
    path: Path, figures: pd.DataFrame, entries: Sequence[Mapping[str, Any]], titles: Sequence[str]
) -> None:
    """Write the preview as a PNG file of `WIDTH` by `HEIGHT` pixels.

    Args:
        path: the file.
        figures: the figures of all comparisons (`suite.analysis.frame.to_figures`).
        entries: the name and the style of each entry (`dashboards.styles`).
        titles: the title of each comparison.
    """
    size = WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH
    # Names are no formulas, and the settings of the user's matplotlib must not change the image.
    with style.context(["default", {"text.parse_math": False}]):
        figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(0.04, 0.91, "Lengthwise", fontsize=15, color=GREY)
        figure.text(0.04, 0.83, QUESTION, fontsize=23, fontweight="bold")
        if chart := choose_chart(figures):
            comparison, measure, drawn = chart
            draw_chart(figure, measure, drawn, {entry["name"]: entry for entry in entries})
            title = textwrap.shorten(titles[comparison], 140, placeholder=" …")
            figure.text(0.04, 0.02, title, fontsize=10, color=GREY)
        with atomic_write(path) as file:
            figure.savefig(file, format="png", metadata={"Software": None})


def draw_chart(
    figure: Figure, measure: Shown, drawn: pd.DataFrame, styles: Mapping[str, Mapping[str, Any]]
) -> None:
    """Draw the lines of a measure against length, with a legend."""
    axes = figure.add_axes((0.09, 0.13, 0.62, 0.62))
    for name, of_entry in list(drawn.groupby("entry", sort=True))[:MAX_ENTRIES]:
        axes.plot(
            of_entry["sequence_length"],
            of_entry["value"] / measure.scale,
            color=styles[str(name)]["color"],
            linestyle=_dash(styles[str(name)]["dash"]),
            linewidth=2.5,
            label=textwrap.shorten(str(name), 30, placeholder=" …"),
        )
    lengths = sorted(set(drawn["sequence_length"]))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.minorticks_off()
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
    axes.set_xlabel("sequence length", fontsize=13)
    axes.set_title(f"{measure.title}, {measure.unit}", fontsize=15, loc="left")
    axes.grid(visible=True, color="#DDDDDD")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="upper left", bbox_to_anchor=(0.73, 0.77), frameon=False, fontsize=11)


def choose_chart(figures: pd.DataFrame) -> tuple[int, Shown, pd.DataFrame] | None:
    """Return the comparison, the measure and the figures of the chart; None if no chart has lines.

    The chart with the most lines of several lengths is taken; of equal ones, the first measure of
    `CHARTED`, and the first comparison.
    """
    found = None
    most = MIN_ENTRIES - 1
    for key, measure in CHARTED.items():
        of_measure = figures[figures["measure"] == key]
        for _, drawn in of_measure.groupby("comparison", sort=True):
            lengths = drawn.groupby("entry")["sequence_length"].nunique()
            long = lengths.index[lengths >= MIN_ENTRIES]
            if len(long) > most:
                most = len(long)
                found = int(drawn["comparison"].iloc[0]), measure, drawn[drawn["entry"].isin(long)]
    return found


def _dash(dash: str) -> str | tuple[int, tuple[float, ...]]:
    """Return a dash of the site, such as "8px,4px", as matplotlib has it: in widths of the line."""
    if dash == "solid":
        return "-"
    return 0, tuple(float(part.removesuffix("px")) / 2 for part in dash.split(","))
