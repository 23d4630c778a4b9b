"""The page of tuned learning rates, beside the leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suite.analysis.learning_rates import SearchSummary, search_summaries
from suite.api import Task
from suite.publish.markdown import escape, escape_name, number, table
from suite.records.tuned_rates import Tuned

LEARNING_RATES = "learning-rates.md"
ABOUT = """# Learning rates

`bench tune` chose these rates on validation, at a part of the steps of a final run. The score is
the mean over the seeds of the last stage, which ended after the steps beside it. The learning-rate
window is the width, in decades, of the range of rates within one standard error of the best. An
entry that learns little, or whose seeds differ much, has a wide window too, so compare windows of
entries with similar scores.
The cost is in final runs. Every trial is in `published/<machine>/trials`."""


def learning_rates_page(choices: Sequence[Tuned], tasks: Mapping[str, Task]) -> str:
    """Return the page: one table for each task, sorted by length and score."""
    parts = [ABOUT]
    searches = search_summaries(choices, tasks)
    for task in dict.fromkeys(search.task for search in searches):
        of_task = [search for search in searches if search.task == task]
        metric = of_task[0].metric
        head = (
            "length", "data", "entry", "learning rate", metric, "after steps", "window", "cost",
            "trials",
        )  # fmt: skip
        parts += [f"## {escape(task)}", table(head, map(_cells, of_task), numbers_from=3)]
    return "\n\n".join(parts) + "\n"


def _cells(search: SearchSummary) -> list[str]:
    return [
        f"{search.sequence_length:,}",
        escape(search.data),
        escape_name(search.entry),
        f"{search.learning_rate:g}",
        number(search.score),
        f"{search.tried[-1].steps:,}",
        f"{search.window or 0.0:.2f}",
        f"{search.cost or 0.0:.1f}",
        str(search.num_trials),
    ]
