"""The archive of the leaderboard: every row of every board in one CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict

from suite.analysis.boards import Board
from suite.analysis.grouping import titles

COLUMNS = (
    "task", "source", "benchmark", "split", "sequence_length", "metric", "rank", "line", "tier",
    "value", "low", "high", "n", "detectable_difference", "parameter_count",
    "training_tokens_per_second", "training_peak_memory_bytes", "worker_seconds", "session",
    "cost_digest", "sessions", "between_sessions", "measured_on", "machines", "versions", "note",
    "superseded_by", "setting", "run_ids",
)  # fmt: skip
"""The columns. Costs are of `session`; `between_sessions` tells how they vary over `sessions`."""


def to_csv(boards: Sequence[Board]) -> str:
    """Return all boards as CSV with a line for each row, those that were superseded included."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    named = titles(board.key for board in boards)
    for board in boards:
        for row in board.rows:
            estimate = asdict(row.estimate) if row.estimate else {}
            writer.writerow(
                {
                    **asdict(row),
                    **estimate,
                    "task": board.key.task or "probe",
                    "source": board.key.source,
                    "benchmark": board.key.benchmark,
                    "split": board.key.split,
                    "sequence_length": board.sequence_length,
                    "metric": board.metric.name,
                    "machines": "; ".join(row.machines),
                    "run_ids": " ".join(row.run_ids),
                    "setting": named[board.key],
                    "session": "" if row.superseded_by else board.session or "",
                }
            )
    return file.getvalue()
