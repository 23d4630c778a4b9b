"""Charts and rows of diagnostics → the lists that their page reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.scripts import estimate_row, shorten
from suite.analysis.comparisons import Comparison
from suite.analysis.diagnostic_charts import Chart, ChartLine, Section, make_charts
from suite.analysis.diagnostics import DiagnosticRow, find_diagnostics
from suite.api import Task

TRAIN = "bench run --benchmark diagnostics"
SECTIONS: Mapping[Section, tuple[str, str]] = {
    Section.RECALL: ("Recall against the decoding state", f"{TRAIN} --task associative_recall"),
    Section.STATES: ("State tracking", f"{TRAIN} --task state_tracking"),
    Section.LENGTHS: (
        "Extrapolation beyond the training length",
        f"{TRAIN} --task induction_heads",
    ),
    Section.DEPTHS: ("Retrieval by depth", f"{TRAIN} --task key_value_retrieval"),
    Section.DECODING: (
        "Cost of decoding against the context",
        "bench run --mode decode",
    ),
}
"""The title of each section, and a command whose records it draws."""


def make_diagnostics(
    comparisons: Sequence[Comparison], lines: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task]
) -> dict[str, Any]:
    """Return the sections with their charts, and the rows of the table.

    `comparisons` are in the order in which the pages prefer them.
    """
    number_of = {comparison.key: place for place, comparison in enumerate(comparisons)}
    line_of = {line["name"]: number for number, line in enumerate(lines)}
    diagnostics = find_diagnostics(comparisons, tasks)
    charts = make_charts(diagnostics, comparisons)
    return {
        "sections": [
            {
                "title": title,
                "command": command,
                "charts": [
                    {**_chart(chart, line_of), "comparison": number_of[chart.key]}
                    for chart in charts
                    if chart.section is section
                ],
            }
            for section, (title, command) in SECTIONS.items()
        ],
        "tasks": [
            {
                "title": diagnostic.title,
                "comparison": number_of[diagnostic.comparison.key],
                "solved_at": diagnostic.solved_at,
                "rows": [_row(row, line_of) for row in diagnostic.rows()],
            }
            for diagnostic in diagnostics
            if diagnostic.solved_at is not None
        ],
    }


def _chart(chart: Chart, line_of: Mapping[str, int]) -> dict[str, Any]:
    return {
        "title": chart.title,
        "measure": chart.measure,
        "against": chart.against,
        "length": chart.sequence_length,
        "line": line_of.get(chart.entry),
        "lines": [_line(line, line_of) for line in chart.lines],
        "reading": chart.reading,
        "share": chart.is_share,
        "note": chart.note,
        "guesses": list(chart.guesses.items()),
    }


def _line(line: ChartLine, line_of: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": line.name,
        "line": line_of.get(line.name),
        "points": [[place, *estimate_row(one)] for place, one in line.figures.items()],
        "reasons": dict(line.reasons),
    }


def _row(row: DiagnosticRow, line_of: Mapping[str, int]) -> dict[str, Any]:
    never = row.median_steps is not None and math.isinf(row.median_steps)
    return {
        "line": line_of[row.entry],
        "length": row.sequence_length,
        "score": row.score and estimate_row(row.score),
        "solved": row.solved and estimate_row(row.solved),
        "steps": shorten(row.median_steps),
        "never": never,
        "note": row.note,
    }
