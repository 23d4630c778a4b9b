"""The search of one entry at one length and size: its trials as cells, its scores, its result."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from suite.analysis.comparison_key import grouped
from suite.api import Cell, Status, Task
from suite.api.options import size_label
from suite.matrix.planned_cells import PlannedCell, ranking_facts
from suite.records.benchmarks import Benchmark
from suite.records.naming import data_text
from suite.records.schema import Record
from suite.records.tuned_rates import write_choice
from suite.search.learning_rate_search import WORST, Strategy, Trial

SCORED = frozenset({Status.OK, Status.DIVERGED})
LEFT = "trials are left for a later run: the same command continues"


@dataclass(frozen=True, slots=True)
class RateTrials:
    """The trials of one learning rate with equally many steps.

    `validation` is their mean score; None if one of them diverged.
    """

    learning_rate: float
    steps: int
    validation: float | None
    runs: Sequence[Mapping[str, Any]]

    def __str__(self) -> str:
        score = "—" if self.validation is None else f"{self.validation:.4f}"
        return f"{self.learning_rate:g}: {score}"


@dataclass(frozen=True, slots=True)
class TunedRate:
    """The result of tuning one entry at one length and model size of a task with its options.

    `cost` is in final runs. The choice is among the trials of `long_steps` updates; without one,
    `reason` says why. `trivial` is the score of the trivial predictor if the trials of the chosen
    rate do not beat it by more than their standard error.
    """

    task: str
    data_text: str
    entry: str
    architecture: str
    sequence_length: int
    model_size: str
    metric: str
    learning_rate: float | None
    reason: str
    good_range_decades: float | None
    cost: float
    long_steps: int
    trials: Sequence[RateTrials]
    path: Path | None
    trivial: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the search ran to its end."""
        return self.reason != LEFT

    def __str__(self) -> str:
        task = " ".join(filter(None, (self.task, self.data_text)))
        point = f"{task:20} {self.entry:20} {self.sequence_length:6,}"
        if size := size_label(self.model_size):
            point = f"{point}  {size}"
        if self.learning_rate is None:
            return f"{point}  no rate chosen: {self.reason}"
        scores = ", ".join(str(trial) for trial in self.trials if trial.steps == self.long_steps)
        width = self.good_range_decades
        good_range = "" if width is None else f"good range {width:.2f} decades; "
        text = (
            f"{point}  {self.learning_rate:<6g} {good_range}cost {self.cost:.2f} final runs; "
            f"validation {self.metric} at {scores}"
        )
        if self.trivial is None:
            return text
        learned = f"not better than a trivial predictor ({self.trivial:g})"
        return f"{text}; {learned}: the trials are too short to choose a rate"


@dataclass
class TrialSet:
    """The search of one entry at one length and size; `point` is a cell without a learning rate.

    `asked` are the trials that `next` returned last.
    """

    point: PlannedCell
    task: Task
    strategy: Strategy
    benchmark: Benchmark
    records: dict[Trial, Record] = field(default_factory=dict)
    scores: dict[Trial, float | None] = field(default_factory=dict)
    stopped: str = ""
    asked: Sequence[Trial] = ()

    @property
    def cell(self) -> Cell:
        """A final run of the entry, without a learning rate."""
        return self.point.cell

    @property
    def name(self) -> str:
        """The entry, the options of the task, the length and an unusual size, for display."""
        text = data_text(self.point.ranking.task_options)
        entry = " ".join(filter(None, (self.point.ranking.entry, text)))
        name = f"{entry} at {self.cell.sequence_length:,}"
        return ", ".join(filter(None, (name, size_label(self.cell.model_size))))

    def plan(self, trial: Trial) -> PlannedCell:
        """Return the cell of a trial; it is never a final run and never scores the test split."""
        options = dict(self.cell.options)
        if trial.learning_rate != self.task.recipe.learning_rate:
            options["learning_rate"] = trial.learning_rate
        cell = replace(
            self.cell,
            options=options,
            steps=self.strategy.steps_of(trial),
            seed=trial.seed,
            benchmark=None,
            scores_test=False,
            evaluation_lengths=(),
        )
        facts = ranking_facts(cell, self.task, None, self.benchmark)
        return replace(self.point, cell=cell, ranking=facts, draws_samples=False)

    def take(self, trial: Trial, record: Record) -> None:
        """Add the record of a trial; one that failed ends the search."""
        self.records[trial] = record
        if record.status in SCORED:
            score = record.metric(self.task.primary_metric.name, "validation")
            self.scores[trial] = score if record.status is Status.OK else None
        else:
            self.stopped = (
                f"the trial at {trial.learning_rate:g}, seed {trial.seed} is {record.status}"
                f"{f' ({record.reason})' if record.reason else ''}"
            )

    def next(self) -> list[Trial]:
        """Return the trials that come next; none if the search has ended."""
        self.asked = trials = [] if self.stopped else self.strategy.next_trials(self.scores)
        return trials

    def best_so_far(self) -> str:
        """Describe the best rate so far, its score and the cost."""
        utilities = self.strategy.reached_utilities(self.scores)
        rate = max(utilities, key=utilities.__getitem__)
        cost = f"{self.strategy.cost(self.scores):.2f} final runs spent"
        if utilities[rate] == WORST:
            return f"{self.name}: every rate diverged so far; {cost}"
        score = utilities[rate] if self.strategy.higher_is_better else -utilities[rate]
        return f"{self.name}: best so far {rate:g} ({score:.4f}); {cost}"

    def result(self, folder: Path, source_digest: str | None) -> TunedRate:
        """Return the result, and write its file if a rate was chosen."""
        trials = self._trials()
        # A strategy plans whole stages: it knows no next trials within one.
        left = any(trial not in self.records for trial in self.asked) or bool(self.next())
        choice = None if self.stopped or left else self.strategy.choose(self.scores)
        metric, cost = self.task.primary_metric, self.strategy.cost(self.records)
        rate = choice.learning_rate if choice else None
        width = path = None
        if rate is not None:
            assert source_digest is not None
            width = self.strategy.good_range_decades(self.scores)
            evidence = {
                "learning_rate": rate,
                "metric": f"validation {metric.name}",
                "good_range_decades": width,
                "cost": cost,
                "trials": [asdict(trial) for trial in trials],
            }
            path = write_choice(self.cell, source_digest, self.strategy.setting, evidence, folder)
        return TunedRate(
            task=str(self.cell.task),
            data_text=data_text(self.point.ranking.task_options),
            entry=self.point.ranking.entry,
            architecture=self.cell.architecture,
            sequence_length=self.cell.sequence_length,
            model_size=self.cell.model_size,
            metric=metric.name,
            learning_rate=rate,
            reason=self.stopped or (LEFT if left else choice.reason if choice else ""),
            good_range_decades=width,
            cost=cost,
            long_steps=self.strategy.long_steps,
            trials=trials,
            path=path,
            trivial=None if rate is None else self._trivial(rate),
        )

    def _trivial(self, rate: float) -> float | None:
        """Return the score of the trivial predictor if a rate is not better beyond its error."""
        score = self.benchmark.trivial_score(str(self.cell.task), self.cell.sequence_length)
        if score is None or self.strategy.is_better(self.scores, rate, score):
            return None
        return score

    def _trials(self) -> list[RateTrials]:
        name = self.task.primary_metric.name

        def place(item: tuple[Trial, Record]) -> tuple[int, float]:
            return self.strategy.steps_of(item[0]), item[0].learning_rate

        groups = grouped(self.records.items(), place)
        trials = []
        for (steps, rate), group in sorted(groups.items()):
            values = [self.scores.get(trial) for trial, _ in group]
            able = [value for value in values if value is not None]
            mean = statistics.fmean(able) if len(able) == len(values) else None
            runs = [
                {
                    "run_id": record.run_id,
                    "seed": trial.seed,
                    "status": str(record.status),
                    "validation": record.metric(name, "validation"),
                }
                for trial, record in sorted(group, key=lambda item: item[0].seed)
            ]
            trials.append(RateTrials(rate, steps, mean, runs))
        return trials
