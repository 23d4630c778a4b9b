"""Tuned learning rates: the choice, the trials behind it, and the width of the range of good rates.

The learning-rate window is a measure of its own: it is the width, in decades, of the range of rates
within one standard error of the best. An entry that learns little has a wide window too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from suite.api import Task
from suite.records.naming import entry_name, options_text
from suite.records.options import defaults_of
from suite.records.tuned_rates import Tuned


@dataclass(frozen=True, slots=True)
class TriedRate:
    """The mean validation score of one learning rate over the seeds of one stage.

    `validation` is None if a trial diverged.
    """

    learning_rate: float
    steps: int
    validation: float | None
    num_seeds: int


@dataclass(frozen=True, slots=True)
class SearchSummary:
    """The search of one entry at one length, which chose `learning_rate`.

    `data` names the source, the model size, the steps of a final run and the options of the task,
    and `entry` those of the architecture alone. `score` is the mean validation score of the choice
    in the last stage, `window` the width of the range of good rates in decades, and `cost` is in
    final runs. `tried` is sorted by steps and rate.
    """

    task: str
    sequence_length: int
    data: str
    entry: str
    architecture: str
    metric: str
    higher_is_better: bool
    learning_rate: float
    score: float | None
    window: float | None
    cost: float | None
    num_trials: int
    tried: Sequence[TriedRate]


def search_summaries(choices: Iterable[Tuned], tasks: Mapping[str, Task]) -> list[SearchSummary]:
    """Return the searches by task, length and data, the best score first."""
    return sorted((_search(tuned, tasks) for tuned in choices), key=_order)


def summarize_searches(choices: Iterable[Tuned], tasks: Mapping[str, Task]) -> list[dict[str, Any]]:
    """Return the searches as values that JSON can hold, each with the title of its task."""
    return [
        {
            **asdict(search),
            "title": tasks[search.task].title if search.task in tasks else search.task,
        }
        for search in search_summaries(choices, tasks)
    ]


def _search(tuned: Tuned, tasks: Mapping[str, Task]) -> SearchSummary:
    choice, setting, task = tuned.choice, tuned.choice.setting, tasks.get(tuned.task)
    tried = [
        TriedRate(
            float(trial["learning_rate"]),
            int(trial["steps"]),
            trial["validation"],
            len(trial["runs"]),
        )
        for trial in choice.trials
    ]
    of_task = defaults_of(task) if task else {}
    shared = {name: value for name, value in setting["options"].items() if name in of_task}
    own = {name: value for name, value in setting["options"].items() if name not in of_task}
    source, size, steps = setting["source"], setting["model_size"], setting["steps"]
    data = f"{source}, size {size}, final runs of {steps:,} steps"
    return SearchSummary(
        task=tuned.task,
        sequence_length=setting["sequence_length"],
        data=f"{data}, {options_text(shared)}" if shared else data,
        entry=entry_name(tuned.architecture, own, setting.get("methods", "")),
        architecture=tuned.architecture,
        metric=choice.metric,
        higher_is_better=task.primary_metric.higher_is_better if task else True,
        learning_rate=choice.learning_rate,
        score=tuned.score,
        window=choice.good_range_decades,
        cost=choice.cost,
        num_trials=sum(rate.num_seeds for rate in tried),
        tried=sorted(tried, key=lambda rate: (rate.steps, rate.learning_rate)),
    )


def _order(search: SearchSummary) -> tuple[str, int, str, float]:
    sign = -1 if search.higher_is_better else 1
    return search.task, search.sequence_length, search.data, sign * (search.score or 0.0)
