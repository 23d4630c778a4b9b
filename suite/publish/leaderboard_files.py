"""The files of the leaderboard: LEADERBOARD.md to read, .csv and .json for scripts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from suite.analysis.boards import Board, Row
from suite.analysis.grouping import ComparisonKey, titles
from suite.analysis.statistics import Estimate
from suite.api import Metric

HEAD = (
    "rank", "architecture", "value [95%]", "n", "parameters", "tokens/s", "memory", "minutes",
    "date", "machine", "tier", "note",
)  # fmt: skip
NO_RESULTS = """# Leaderboard

No results are published yet. [CHANGES.md](CHANGES.md) names the last commit with older results.
"""


def leaderboard_files(boards: Sequence[Board]) -> dict[str, str]:
    """Return the content of each file of the leaderboard, by name."""
    return {
        "LEADERBOARD.md": to_markdown(boards),
        "LEADERBOARD.csv": to_csv(boards),
        "LEADERBOARD.json": to_json(boards),
    }


def to_json(boards: Sequence[Board]) -> str:
    """Return all boards as JSON."""
    content = [
        {
            "setting": asdict(board.key),
            "sequence_length": board.sequence_length,
            "batch_size": board.batch_size,
            "metric": asdict(board.metric),
            "rows": [asdict(row) for row in board.rows],
        }
        for board in boards
    ]
    return json.dumps(content, indent=1, default=str) + "\n"


CSV_COLUMNS = (
    "task", "source", "sequence_length", "metric", "rank", "line", "tier", "value", "low", "high",
    "n", "parameter_count", "training_tokens_per_second", "training_peak_memory_bytes",
    "worker_seconds", "measured_on", "machines", "versions", "note", "superseded_by", "setting",
    "run_ids",
)  # fmt: skip


def to_csv(boards: Sequence[Board]) -> str:
    """Return all boards as one CSV table with a line for each row."""
    file = io.StringIO()
    writer = csv.DictWriter(file, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
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
                    "sequence_length": board.sequence_length,
                    "metric": board.metric.name,
                    "machines": "; ".join(row.machines),
                    "run_ids": " ".join(row.run_ids),
                    "setting": named[board.key],
                }
            )
    return file.getvalue()


def to_markdown(boards: Sequence[Board]) -> str:
    """Return the boards as Markdown: the leaders at each length, then each board."""
    if not boards:
        return NO_RESULTS
    named = titles(board.key for board in boards)
    parts = [
        "# Leaderboard",
        "Made by `make leaderboard` from the records in this folder; do not edit. The best and all "
        "that noise cannot tell from it share rank 1: each is compared with the best alone, on the "
        "same seeds and test examples, 5% false alarms in all. Intervals are of 95%; n counts "
        "seeds (rounds, of probes). Fewer than three are shown and not ranked. Cost is of "
        "training, and left out where something else ran beside it. A line is `untuned` where its "
        "learning rate is none that `bench tune` chose for it.",
        *_leaders(boards, named),
    ]
    before: ComparisonKey | None = None
    for board in boards:
        if board.key != before:
            parts.append(f"## {_escape(named[board.key])}")
            before = board.key
        parts.append(f"### {board.metric.name} at length {board.sequence_length}")
        standing = [row for row in board.rows if not row.superseded_by]
        if standing:
            parts.append(_table(HEAD, (_cells(row, board.metric) for row in standing)))
        if former := [row for row in board.rows if row.superseded_by]:
            rows = f"{len(former)} superseded row{'s' if len(former) > 1 else ''}"
            parts.append(f"<details><summary>{rows}</summary>")
            parts.append(_table(HEAD, (_cells(row, board.metric) for row in former)))
            parts.append("</details>")
    return "\n\n".join(parts) + "\n"


def _leaders(boards: Sequence[Board], named: Mapping[ComparisonKey, str]) -> list[str]:
    """Return a section with the leaders at each length, for each comparison that has ranks."""
    leaders: dict[tuple[ComparisonKey, str], list[str]] = {}
    for board in boards:
        ranked = [row for row in board.rows if row.rank is not None]
        best = [row.line for row in ranked if row.rank == 1]
        if not best:
            continue
        others = f" or {len(best) - 1} more" if len(best) > 1 else ""
        alone = ", alone" if len(ranked) == 1 else ""
        at = leaders.setdefault((board.key, board.metric.name), [])
        at.append(f"{board.sequence_length}: {best[0]}{others}{alone}")
    if not leaders:
        return []
    rows = ((named[setting], name, "; ".join(at)) for (setting, name), at in leaders.items())
    return [
        "## Who is best at which length",
        "“or 4 more”: the noise does not tell so many others from it; “alone”: no other is ranked.",
        _table(("comparison", "by", "at length, the leader"), rows),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(map(_escape, row)) + " |" for row in rows]
    return "\n".join(lines)


def _cells(row: Row, metric: Metric) -> list[str]:
    superseded = f"superseded by {row.superseded_by}" if row.superseded_by else ""
    memory = row.training_peak_memory_bytes
    return [
        str(row.rank or "—"),
        row.line,
        _estimate_text(row.estimate, metric),
        str(row.estimate.n) if row.estimate else "0",
        f"{row.parameter_count:,}" if row.parameter_count else "—",
        _rounded(row.training_tokens_per_second),
        f"{memory / 2**20:,.0f} MiB" if memory else "—",
        f"{row.worker_seconds / 60:.1f}" if row.worker_seconds else "—",
        str(row.measured_on),
        ", ".join(row.machines),
        row.tier,
        "; ".join(part for part in (row.note, superseded) if part),
    ]


def _estimate_text(estimate: Estimate | None, metric: Metric) -> str:
    """Return an estimate with its interval; bytes are in MiB."""
    if estimate is None:
        return "—"

    def text(value: float) -> str:
        if metric.name.endswith("_bytes"):
            return f"{value / 2**20:,.0f}"
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"

    unit = " MiB" if metric.name.endswith("_bytes") else ""
    if estimate.low is None or estimate.high is None:
        return f"{text(estimate.value)}{unit}"
    return f"{text(estimate.value)} [{text(estimate.low)}, {text(estimate.high)}]{unit}"


def _rounded(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"


def _escape(text: str) -> str:
    """Escape text for a Markdown table, which a web page may show as HTML."""
    for char, other in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        text = text.replace(char, other)
    return text.replace("\n", " ")
