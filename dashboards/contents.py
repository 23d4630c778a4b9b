"""Frames and boards → the columns that the pages read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.frame import Columns
from dashboards.scripts import measure_number, shorten
from suite.analysis.boards import Board, Row
from suite.analysis.comparison_key import ComparisonKey
from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate
from suite.analysis.reports import grouped_reports
from suite.api import PROTOCOL


def describe(
    comparison: Comparison,
    title_of: Mapping[ComparisonKey, str],
    name_of: Mapping[ComparisonKey, str],
    subject: str,
) -> dict[str, Any]:
    """Return the properties of a comparison that the pages show and filter by.

    The title is unique; the name is short and unique among the comparisons of the subject.
    """
    setting, metric = comparison.key, comparison.metric
    machine, threads = comparison.measured_on
    return {
        "kind": setting.kind,
        "title": title_of[setting],
        "name": name_of[setting],
        "subject": subject,
        "form": setting.form,
        "mode": setting.mode,
        "task": setting.task or f"{setting.mode}, {setting.form.replace('_', '-')}",
        "source": setting.source or "random tokens",
        "options": setting.task_options,
        "model_size": setting.model_size,
        "steps": setting.steps,
        "benchmark": setting.benchmark,
        "track": setting.track,
        "split": setting.split,
        "why_unranked": setting.why_unranked,
        "precision": setting.precision,
        "backend": setting.backend,
        "batch": setting.batch,
        "machine": machine,
        "threads": threads,
        "session": comparison.sessions_text,
        "protocol": max((record.protocol for record in comparison.records), default=PROTOCOL),
        "metric": metric.name if metric else "",
        "higher_is_better": metric.higher_is_better if metric else True,
        "share": metric.share if metric else False,
    }  # fmt: skip


def _columns(
    frame: Columns, lines: Sequence[Mapping[str, Any]], without: Sequence[str]
) -> dict[str, Any]:
    """Return the columns of a frame. A column of texts becomes places in a list of the texts."""
    numbers = {line["name"]: number for number, line in enumerate(lines)}
    columns: dict[str, Any] = {}
    for name, values in frame.items():
        if name in without:
            continue
        if name == "line":
            columns[name] = [numbers[value] for value in values]
        elif name in ("status", "reason"):
            texts = sorted(set(values))
            places = {text: place for place, text in enumerate(texts)}
            columns[name] = {"texts": texts, "at": [places[value] for value in values]}
        else:
            columns[name] = [shorten(value) for value in values]
    return columns


def record_columns(records: Columns, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the columns of the records, without the architecture, which the line has."""
    return _columns(records, lines, ["architecture"])


def point_columns(points: Columns, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the columns of the points, with the number of each measure."""
    columns = _columns(points, lines, [])
    columns["measure"] = [measure_number(measure) for measure in points["measure"]]
    return columns


def board_rows(
    boards: Sequence[Board], comparisons: Sequence[Comparison], lines: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Return the comparison, length, batch, metric, rows and detectable difference of each board.

    Differences of costs are ratios. Lines without a standing record are left out. The files of the
    leaderboard list them.
    """
    number_of = {comparison.key: place for place, comparison in enumerate(comparisons)}
    names = {line["name"]: number for number, line in enumerate(lines)}
    ranked = []
    for board in boards:
        if board.key not in number_of:
            continue
        rows = []
        for row in board.rows:
            if row.line not in names:
                continue
            rows.append([names[row.line], *_row(row, board)])
        number, metric = number_of[board.key], board.metric.name
        place = [number, board.sequence_length, board.batch_size, metric]
        ranked.append([*place, rows, shorten(board.detectable)])
    return ranked


def _row(row: Row, board: Board) -> list[Any]:
    """Return a row of a board without its line."""
    estimate = row.estimate or Estimate(math.nan, None, None, 0)
    return [
        row.rank,
        *(shorten(end) for end in (estimate.value, estimate.low, estimate.high)),
        estimate.n,
        shorten(board.in_unit(row.detectable_difference)),
        row.note,
        row.superseded_by,
        row.parameter_count,
        shorten(row.worker_seconds),
        str(row.measured_on),
        row.run_ids[0],
        row.cost_digest or "",
        row.sessions,
        shorten(row.between_sessions),
        {
            str(length): score
            if isinstance(score, str)
            else [*map(shorten, (score.value, score.low, score.high)), score.n, score.missing]
            for length, score in row.by_evaluation_length.items()
        },
    ]


def report_rows(
    comparisons: Sequence[Comparison], lines: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the reports by group of each comparison, length and line.

    A report has its name, for each figure the list of [group, mean, low, high, n], and the reasons
    why the model has no figures at some evaluation lengths.
    """
    names = {line["name"]: number for number, line in enumerate(lines)}
    found = []
    for number, comparison in enumerate(comparisons):
        for report in grouped_reports(comparison):
            figures: dict[str, list[Any]] = {}
            for group, named in report.figures.items():
                for name, one in named.items():
                    ends = map(shorten, (one.value, one.low, one.high))
                    figures.setdefault(name, []).append([group, *ends, one.n])
            found.append(
                {
                    "comparison": number,
                    "length": report.sequence_length,
                    "line": names[report.entry],
                    "name": report.name,
                    "figures": figures,
                    "reasons": dict(report.reasons),
                }
            )
    return found
