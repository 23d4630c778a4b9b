"""Frames and boards → the columns that the pages read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dashboards.frame import MEASURES
from dashboards.scripts import QUALITY_NUMBER, shorten
from suite.analysis.aggregate import Comparison
from suite.analysis.boards import Board
from suite.analysis.findings import QUALITY
from suite.analysis.grouping import ComparisonKey
from suite.analysis.statistics import Estimate
from suite.api import PROTOCOL


def describe(comparison: Comparison, named: Mapping[ComparisonKey, str]) -> dict[str, Any]:
    """Return what the pages say of a comparison and filter it by."""
    setting, metric = comparison.key, comparison.metric
    machine, threads = comparison.measured_on
    return {
        "title": named[setting],
        "mode": setting.mode,
        "task": setting.task or f"probe, {setting.form.replace('_', '-')}",
        "source": setting.source or "random tokens",
        "options": setting.task_options,
        "model_size": setting.model_size,
        "budget": setting.budget,
        "precision": setting.precision,
        "backend": setting.backend,
        "batch": setting.batch,
        "machine": machine,
        "threads": threads,
        "protocol": max((record.protocol for record in comparison.records), default=PROTOCOL),
        "metric": metric.name if metric else "",
        "higher_is_better": metric.higher_is_better if metric else True,
    }  # fmt: skip


def _columns(
    frame: pd.DataFrame, lines: Sequence[Mapping[str, Any]], without: Sequence[str]
) -> dict[str, Any]:
    """Return a frame column by column, text as numbers into a list of texts."""
    numbers = {line["name"]: number for number, line in enumerate(lines)}
    columns: dict[str, Any] = {}
    for name in frame.columns.drop(list(without)):
        values = frame[name].tolist()
        if name == "line":
            columns[name] = [numbers[value] for value in values]
        elif name in ("status", "reason"):
            texts = sorted(set(values))
            places = {text: place for place, text in enumerate(texts)}
            columns[name] = {"texts": texts, "at": [places[value] for value in values]}
        else:
            columns[name] = [shorten(value) for value in values]
    return columns


def record_columns(records: pd.DataFrame, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the records column by column; a line's architecture stands with the line."""
    return _columns(records, lines, ["architecture"])


def point_columns(points: pd.DataFrame, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the points column by column, measures by their number."""
    columns = _columns(points, lines, [])
    keys = [measure.key for measure in MEASURES]
    columns["measure"] = [
        QUALITY_NUMBER if key == QUALITY else keys.index(key) for key in points["measure"]
    ]
    return columns


def board_rows(
    boards: Sequence[Board], made: Sequence[Comparison], lines: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Return the ranks: comparison, length, batch, metric, then the rows of each board.

    Lines of which nothing stands any more are left to the leaderboard's files.
    """
    of_setting = {comparison.key: place for place, comparison in enumerate(made)}
    names = {line["name"]: number for number, line in enumerate(lines)}
    found = []
    for board in boards:
        if board.setting not in of_setting:
            continue
        rows = []
        for row in board.rows:
            if row.line not in names:
                continue
            estimate = row.estimate or Estimate(math.nan, None, None, 0)
            of_row: list[Any] = [names[row.line], row.rank]
            of_row += [shorten(estimate.value), shorten(estimate.low), shorten(estimate.high)]
            of_row += [estimate.n, str(row.tier), row.note, row.superseded_by, row.parameter_count]
            of_row += [shorten(row.worker_seconds), str(row.measured_on), row.run_ids[0]]
            rows.append(of_row)
        number, metric = of_setting[board.setting], board.metric.name
        found.append([number, board.sequence_length, board.batch_size, metric, rows])
    return found
