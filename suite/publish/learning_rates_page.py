"""The page of tuned learning rates, beside the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence

from suite.matrix.tuned_rates import Tuned
from suite.publish.markdown import escape, escape_name, number, table
from suite.records.naming import entry_name

LEARNING_RATES = "learning-rates.md"
ABOUT = """# Learning rates

`bench tune` chose these rates on validation, at a part of the steps of a final run. The score is
the mean over the seeds of the last stage. The learning-rate window is the width, in decades, of the
range of rates within one standard error of the best: an entry with a wide window is easy to train.
The cost is in final runs. Every trial is in `published/<machine>/trials`."""


def learning_rates_page(choices: Sequence[Tuned]) -> str:
    """Return the page: one table for each task, sorted by length and score."""
    parts = [ABOUT]
    for task in sorted({choice.task for choice in choices}):
        of_task = [choice for choice in choices if choice.task == task]
        metric = of_task[0].choice.metric
        head = ("length", "data", "entry", "learning rate", metric, "window", "cost", "trials")
        rows = sorted(of_task, key=_order)
        parts += [f"## {escape(task)}", table(head, map(_cells, rows), numbers_from=3)]
    return "\n\n".join(parts) + "\n"


def _order(tuned: Tuned) -> tuple[int, str, float]:
    setting = tuned.choice.setting
    return setting["sequence_length"], str(setting["source"]), -(tuned.score or 0.0)


def _cells(tuned: Tuned) -> list[str]:
    choice = tuned.choice
    setting = choice.setting
    return [
        f"{setting['sequence_length']:,}",
        escape(str(setting["source"])),
        escape_name(entry_name(tuned.architecture, setting["options"])),
        f"{choice.learning_rate:g}",
        number(tuned.score),
        f"{choice.good_range_decades or 0.0:.1f}",
        f"{choice.cost or 0.0:.1f}",
        str(sum(len(trial["runs"]) for trial in choice.trials)),
    ]
