"""The preview image that social media show for a link to the site.

The image has the question, and quality and a cost against length. The bytes depend on the figures
and on the version of matplotlib alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from suite.analysis.comparisons import Comparison
from suite.api import Metric
from suite.api.files import atomic_write
from suite.records.measures import CHARTED, QUALITY, metric_of

QUESTION = "Which sequence model should I use at my sequence length?"
WIDTH, HEIGHT, DOTS_PER_INCH = 1200, 630, 100
"""The size in pixels that the large cards of social media have."""
GREY, LIGHT_GREY = "#555555", "#CCCCCC"
MIN_ENTRIES = 2
"""A chart needs that many entries, each with that many lengths."""
MOST_COLORED = 8
"""The most entries that have a colour."""
LABEL_HEIGHT = 0.058
"""The height of the name of an entry, as a part of the chart."""


@dataclass(frozen=True)
class Chart:
    """A measure of a comparison against length: a row of `figures` for each entry and length."""

    title: str
    metric: Metric
    comparison: int
    figures: pd.DataFrame
    is_logarithmic: bool


def write_preview(
    path: Path, charts: Sequence[Chart], entries: Sequence[Mapping[str, Any]], titles: Sequence[str]
) -> None:
    """Write the preview as a PNG file of `WIDTH` by `HEIGHT` pixels.

    Args:
        path: the file.
        charts: the charts, from the left.
        entries: the name and the style of each entry (`dashboards.styles`) that has a colour.
        titles: the title of each comparison.
    """
    size = WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH
    styles = {entry["name"]: entry for entry in entries}
    # Names are no formulas, and the settings of the user's matplotlib must not change the image.
    with style.context(["default", {"text.parse_math": False}]):
        figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(0.04, 0.92, "Lengthwise", fontsize=15, color=GREY)
        figure.text(0.04, 0.84, QUESTION, fontsize=23, fontweight="bold")
        for number, chart in enumerate(charts):
            left = 0.06 + 0.5 * number
            axes = figure.add_axes((left, 0.17, 0.25 if len(charts) > 1 else 0.74, 0.57))
            draw_chart(axes, chart, styles)
            title = textwrap.shorten(titles[chart.comparison], 160, placeholder=" …")
            figure.text(0.04, 0.045 - 0.03 * number, title, fontsize=9, color=GREY)
        with atomic_write(path) as file:
            figure.savefig(file, format="png", metadata={"Software": None})


def draw_chart(axes: Axes, chart: Chart, styles: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw a line for each entry. Those with a style have a colour, and their name at the end."""
    lengths = sorted(set(chart.figures["sequence_length"]))
    ends = {}
    for name, of_entry in chart.figures.groupby("entry", sort=True):
        known = styles.get(str(name))
        axes.plot(
            of_entry["sequence_length"],
            of_entry["value"],
            color=known["color"] if known else LIGHT_GREY,
            linestyle=_dash(known["dash"]) if known else "-",
            linewidth=2.5 if known else 1,
            zorder=3 if known else 2,
        )
        if known:
            ends[str(name)] = of_entry["value"].iloc[-1]
    axes.set_xscale("log", base=2)
    if chart.is_logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.minorticks_off()
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
    axes.set_xlabel("sequence length", fontsize=12)
    axes.set_title(chart.title, fontsize=13, loc="left")
    axes.grid(visible=True, color="#DDDDDD")
    axes.spines[["top", "right"]].set_visible(False)
    axes.autoscale_view()
    heights = axes.transAxes.inverted().transform(
        [axes.transData.transform((lengths[-1], value)) for value in ends.values()]
    )
    for name, height in _spread(dict(zip(ends, heights[:, 1], strict=True))):
        text = textwrap.shorten(name, 30, placeholder=" …")
        axes.text(
            1.02,
            height,
            text,
            color=styles[name]["color"],
            fontsize=10,
            verticalalignment="center",
            transform=axes.transAxes,
        )


def choose_charts(
    figures: pd.DataFrame, comparisons: Sequence[Comparison], sources: Sequence[Sequence[int]]
) -> list[Chart]:
    """Return a chart of quality and one of a cost of the same entries, as far as there are figures.

    The quality is that of the first comparison with enough lines. The cost is the first measure of
    `CHARTED` with enough lines. Without a quality, it is that of the comparison with the most
    entries of several lengths.

    Args:
        figures: the figures of all comparisons (`suite.analysis.frame.to_figures`).
        comparisons: the comparisons, in the order in which pages prefer them.
        sources: the numbers of the comparisons that have the costs of each one.
    """
    if quality := next(_charts(figures, comparisons, [QUALITY]), None):
        shared = figures[figures["entry"].isin(quality.figures["entry"])]
        for number in sources[quality.comparison]:
            of_source = shared[shared["comparison"] == number]
            if cost := next(_charts(of_source, comparisons, CHARTED), None):
                return [quality, cost]
        return [quality]
    costs = list(_charts(figures, comparisons, CHARTED))
    return [max(costs, key=lambda chart: chart.figures["entry"].nunique())] if costs else []


def choose_colored(charts: Sequence[Chart], references: Sequence[str]) -> list[str]:
    """Return the entries that have a colour: references, then the best others.

    The best are those at the longest length of the first chart.
    """
    if not charts:
        return []
    first = charts[0].figures
    longest = first[first["sequence_length"] == first["sequence_length"].max()]
    ordered = longest.sort_values("value", ascending=not charts[0].metric.higher_is_better)["entry"]
    return sorted(ordered, key=lambda name: name not in references)[:MOST_COLORED]


def _charts(
    figures: pd.DataFrame, comparisons: Sequence[Comparison], measures: Iterable[str]
) -> Iterator[Chart]:
    """Yield each chart of measures that has enough lines, in the order of the measures."""
    for measure in measures:
        of_measure = figures[figures["measure"] == measure]
        for number in sorted(set(of_measure["comparison"])):
            drawn = of_measure[of_measure["comparison"] == number]
            lengths = drawn.groupby("entry")["sequence_length"].nunique()
            names = lengths.index[lengths >= MIN_ENTRIES]
            if len(names) < MIN_ENTRIES:
                continue
            if shown := CHARTED.get(measure):
                metric, scale = metric_of(measure), shown.scale
                title = f"{shown.title}, {shown.unit}"
            else:
                of_quality = comparisons[number].metric
                assert of_quality is not None, "only a comparison with a metric has a quality"
                metric, scale = of_quality, 1.0
                title = metric.name.replace("_", " ").capitalize()
            direction = "higher" if metric.higher_is_better else "lower"
            lines = drawn[drawn["entry"].isin(names)].sort_values("sequence_length")
            yield Chart(
                f"{title} · {direction} is better",
                metric,
                number,
                lines.assign(value=lines["value"] / scale),
                is_logarithmic=shown is not None,
            )


def _spread(heights: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield names with heights at least `LABEL_HEIGHT` apart, near their own."""
    ordered = sorted(heights, key=lambda name: heights[name])
    places: list[float] = []
    for name in ordered:
        lowest = places[-1] + LABEL_HEIGHT if places else -1.0
        places.append(max(heights[name], lowest))
    # A name above the top moves down, and so do the names below it.
    for number in reversed(range(len(places))):
        highest = places[number + 1] - LABEL_HEIGHT if number + 1 < len(places) else 1.0
        places[number] = min(places[number], highest)
    yield from zip(ordered, places, strict=True)


def _dash(dash: str) -> str | tuple[int, tuple[float, ...]]:
    """Return a dash of the site, such as "8px,4px", as matplotlib has it: in widths of the line."""
    if dash == "solid":
        return "-"
    return 0, tuple(float(part.removesuffix("px")) / 2 for part in dash.split(","))
