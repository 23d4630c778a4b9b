"""The cells of the leaderboard's tables as Markdown."""

from __future__ import annotations

from suite.analysis.core_table import Block, CoreRow
from suite.analysis.leaderboard import TaskTable, Winner
from suite.api import Metric
from suite.publish.markdown import NONE, escape, escape_name, number, shortened, small


def metric_cell(metric: Metric) -> str:
    """Return the name of a metric with an arrow to the better side."""
    arrow = "↑" if metric.higher_is_better else "↓"
    return f"{escape(metric.name.replace('_', ' '))} {arrow}"


def score_cell(row: CoreRow) -> str:
    """Return the score of an entry with its interval."""
    if row.score is None:
        return NONE
    low, high = row.score.low, row.score.high
    if low is None or high is None:
        return f"{row.score.value:.1f}"
    return f"{row.score.value:.1f} [{low:.1f}, {high:.1f}]"


def tied_cell(winner: Winner) -> str:
    """Return the tied entries, each with the difference that would have separated it."""
    tied = [f"{escape_name(line)} ({small(least)})" for line, least in winner.tied.items()]
    return shortened(tied)


def length_head(task: TaskTable, length: int) -> str:
    """Return the head of a length: the length, the trivial score and the detectable difference."""
    trivial, detectable = task.trivial.get(length), task.boards[length].detectable_difference
    parts = [
        f"{word} {text(value)}"
        for word, text, value in (("trivial", number, trivial), ("detectable", small, detectable))
        if value is not None
    ]
    return f"{length:,} ({', '.join(parts)})" if parts else f"{length:,}"


def parameters_cell(counts: tuple[int, int] | None) -> str:
    """Return the smallest and the largest number of parameters, in millions."""
    if counts is None:
        return NONE
    least, most = (f"{count / 1e6:.2f}" for count in counts)
    return f"{least} M" if least == most else f"{least}–{most} M"


def relative_cell(block: Block, line: str, measure: str) -> str:
    """Return a relative cost at each of `LENGTHS`."""
    ratios = block.ratios(line, measure)
    if not any(ratios):
        return NONE
    return " / ".join(f"{ratio:.2f}" if ratio else NONE for ratio in ratios)
