"""The archive of the leaderboard: every row of every board in one CSV file.

A line has either the score at the training length, with `evaluation_length` empty, or the score of
the same models at an evaluation length. The latter has neither a rank nor costs, and its note says
why a score is missing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from suite.analysis.boards import Board, Row
from suite.analysis.comparison_key import titles
from suite.analysis.estimates import Estimate

COLUMNS = (
    "task", "source", "benchmark", "split", "sequence_length", "evaluation_length", "metric",
    "rank", "line", "value", "low", "high", "n", "detectable_difference", "parameter_count",
    "training_tokens_per_second", "training_peak_memory_bytes", "worker_seconds", "session",
    "cost_digest", "sessions", "between_sessions", "measured_on", "machines", "versions", "note",
    "superseded_by", "setting", "run_ids",
)  # fmt: skip
"""The columns. Costs are of `session`; `between_sessions` tells how they vary over `sessions`."""
OF_ROW = [name for name in COLUMNS if hasattr(Row, name) and name != "session"]
"""The columns that are attributes of a row."""
ENDS = ("value", "low", "high", "n")
"""The columns that are fields of an estimate."""


FORMULA = re.compile(r"[=+\-@\t\r]")


def to_csv(boards: Sequence[Board]) -> str:
    """Return all boards as CSV, rows that were superseded included.

    Each row has a line, and one for each evaluation length.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    named = titles(board.key for board in boards)
    for board in boards:
        for row in board.rows:
            about = {
                "task": board.key.task or str(board.key.mode),
                "source": board.key.source,
                "benchmark": board.key.benchmark,
                "split": board.key.split,
                "sequence_length": board.sequence_length,
                "metric": board.metric.name,
                "line": row.entry,
                "versions": row.versions,
                "superseded_by": row.superseded_by,
                "machines": "; ".join(row.machines),
                "run_ids": " ".join(row.run_ids),
                "setting": named[board.key],
            }
            session = "" if row.superseded_by else board.session or ""
            own = {name: getattr(row, name) for name in OF_ROW}
            figures = {**own, **_ends(row.estimate), **about, "session": session}
            writer.writerow(_without_formulas(figures))
            for length, score in row.by_evaluation_length.items():
                if isinstance(score, str):
                    figures = {"note": score}
                else:
                    figures = {**_ends(score), "note": score.missing}
                figures = {**figures, **about, "evaluation_length": length}
                writer.writerow(_without_formulas(figures))
    return file.getvalue()


def _without_formulas(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without texts that a spreadsheet would run."""
    return {
        name: f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value
        for name, value in row.items()
    }


def _ends(estimate: Estimate | None) -> dict[str, Any]:
    """Return the columns of an estimate."""
    return {name: getattr(estimate, name) for name in ENDS} if estimate else {}
