"""Trials: the searches of learning rates, and the number of trainings without a rank.

The learning-rate window is a measure of its own: it is the width, in decades, of the range of rates
within one standard error of the best. An entry that learns little has a wide window too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from suite.analysis.comparison_key import grouped
from suite.api import Cell, Mode, Status, Task
from suite.records.naming import entry_name, options_text
from suite.records.options import defaults_of
from suite.records.published import StoredRecord, is_final
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

    `data` names the source, the model size, the steps of a final run and the options of the task.
    `score` is the mean validation score of the choice in the last stage, `window` the width of the
    range of good rates in decades, and `cost` is in final runs. `tried` is sorted by steps and
    rate.
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

    def order(search: SearchSummary) -> tuple[str, int, str, float]:
        sign = -1 if search.higher_is_better else 1
        return search.task, search.sequence_length, search.data, sign * (search.score or 0.0)

    return sorted((_search(tuned, tasks) for tuned in choices), key=order)


def _search(tuned: Tuned, tasks: Mapping[str, Task]) -> SearchSummary:
    choice, setting, task = tuned.choice, tuned.choice.setting, tasks.get(tuned.task)
    tried = [
        TriedRate(
            float(trial["learning_rate"]),
            int(trial["steps"]),
            trial.get("validation"),
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


@dataclass(frozen=True, slots=True)
class TrainingCount:
    """The trainings of one task; `benchmark` is None for trials."""

    benchmark: str | None
    task: str
    num_trainings: int
    lengths: tuple[int, ...]
    num_architectures: int

    def __str__(self) -> str:
        word = "trial" if self.benchmark is None else "run"
        return (
            f"{self.num_trainings:,} {word}{_plural(self.num_trainings)} of "
            f"{self.num_architectures} architecture{_plural(self.num_architectures)} at "
            f"length{_plural(len(self.lengths))} {', '.join(map(str, self.lengths))}"
        )


def count_unranked(records: Iterable[StoredRecord]) -> list[TrainingCount]:
    """Return the number of trainings without a rank, by benchmark and task; trials come last.

    Cells that never started do not count.
    """
    cells = [
        stored.record.cell
        for stored in records
        if stored.record.cell.mode is Mode.TRAIN
        and stored.record.status is not Status.UNSUPPORTED
        and not (is_final(stored.record) and stored.record.ranking.ranked)
    ]

    def order(cell: Cell) -> tuple[bool, str, str]:
        return cell.benchmark is None, cell.benchmark or "", str(cell.task)

    return [
        TrainingCount(
            benchmark=benchmark or None,
            task=task,
            num_trainings=len(of_task),
            lengths=tuple(sorted({cell.sequence_length for cell in of_task})),
            num_architectures=len({cell.architecture for cell in of_task}),
        )
        for (_, benchmark, task), of_task in sorted(grouped(cells, order).items())
    ]


def _plural(number: int) -> str:
    return "s" if number > 1 else ""
