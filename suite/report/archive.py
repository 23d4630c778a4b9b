"""The archive of the leaderboard: every row of every board in one CSV file.

A row of the same models at an `evaluation_length` has neither a rank nor costs. Its note says why a
score is missing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from suite.analysis.boards import Board, Row
from suite.analysis.comparison_key import titles
from suite.analysis.estimates import Estimate
from suite.records.command_line import without_formula

COLUMNS = (
    "task", "source", "benchmark", "split", "sequence_length", "evaluation_length", "metric",
    "rank", "entry", "value", "low", "high", "n", "detectable_difference", "parameter_count",
    "training_tokens_per_second", "training_peak_memory_bytes", "worker_seconds", "session",
    "cost_digest", "sessions", "between_sessions", "measured_on", "machines", "versions", "note",
    "superseded_by", "setting", "run_ids",
)  # fmt: skip
"""The columns. Costs are of `session`; `between_sessions` tells how they vary over `sessions`."""
OF_ROW = [name for name in COLUMNS if hasattr(Row, name)]
TRAINING_COSTS = ("training.tokens_per_second", "training.peak_memory_bytes")


def to_csv(boards: Sequence[Board]) -> str:
    """Return all boards as CSV, superseded rows included, with a row for each evaluation length."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    setting = titles(board.key for board in boards)
    for board in boards:
        for row in _rows(board, setting[board.key]):
            writer.writerow({name: without_formula(value) for name, value in row.items()})
    return file.getvalue()


def _rows(board: Board, setting: str) -> Iterator[dict[str, Any]]:
    key = board.key
    of_board = {
        "task": key.task or str(key.mode),
        "source": key.source,
        "benchmark": key.benchmark,
        "split": key.split,
        "sequence_length": board.sequence_length,
        "metric": board.metric.name,
        "setting": setting,
    }
    for row in board.rows:
        shared = of_board | {
            "entry": row.entry,
            "versions": row.versions,
            "superseded_by": row.superseded_by,
            "machines": "; ".join(row.machines),
            "run_ids": " ".join(row.run_ids),
        }
        own = {name: getattr(row, name) for name in OF_ROW}
        costs = {name.replace(".", "_"): row.cost(name) for name in TRAINING_COSTS}
        own |= {name: cost.value for name, cost in costs.items() if cost}
        session = "" if row.superseded_by else board.session or ""
        yield {**own, **_ends(row.estimate), **shared, "session": session}
        for length, score in row.by_evaluation_length.items():
            note = score if isinstance(score, str) else score.missing
            ends = _ends(None if isinstance(score, str) else score)
            yield {**shared, **ends, "note": note, "evaluation_length": length}


def _ends(estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {}
    return {name: getattr(estimate, name) for name in ("value", "low", "high", "n")}
