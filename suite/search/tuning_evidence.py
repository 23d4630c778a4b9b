"""The check that a tuned learning rate follows from the trials that a record states for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from suite.api import Cell, RequestError, Status, Task, training_methods
from suite.records.benchmark_sections import TuningSettings
from suite.records.benchmarks import Benchmark
from suite.records.schema import RecordSummary, TuningChoice
from suite.records.tuned_rates import STRATEGY, Tuned, tuning_setting
from suite.search.learning_rate_search import FullTrials, Strategy, SuccessiveHalving, Trial


def strategy_of(benchmark: Benchmark, task: Task, point: Cell) -> Strategy:
    """Return the search for a learning rate at a cell, as `Benchmark.tuning_point` returns it."""
    settings = benchmark.tuning or TuningSettings()
    settings = settings.of_point(point.task or "", point.sequence_length, point.steps)
    return _strategy(settings, task, point.steps)


def _strategy(settings: TuningSettings, task: Task, steps: int) -> Strategy:
    kind = FullTrials if settings.full_trials else SuccessiveHalving
    return kind(
        learning_rates=settings.learning_rates,
        seeds=settings.seeds,
        steps=steps,
        default_rate=task.recipe.learning_rate,
        higher_is_better=task.primary_metric.higher_is_better,
    )


def evidence_problem(record: RecordSummary, task: Task, benchmark: Benchmark) -> str | None:
    """Return why the learning rate of a final run is not the choice of its benchmark's search.

    An unsupported cell was not trained and has no rate.
    """
    if record.status is Status.UNSUPPORTED:
        return None
    digest = record.data.get("digest", "") if record.data else None
    return choice_problem(record.cell, record.ranking.tuning, digest, task, benchmark)


def choice_problem(
    cell: Cell,
    tuning: TuningChoice | None,
    source_digest: str | None,
    task: Task,
    benchmark: Benchmark,
) -> str | None:
    """Return why a learning rate is not the choice of the benchmark's search for a final run.

    The search must have the setting of the run and the benchmark's rates, seeds and steps.
    """
    if tuning is None:
        return "its learning rate was not tuned" if benchmark.tuning else None
    options = {name: value for name, value in cell.options.items() if name != "learning_rate"}
    point = benchmark.tuning_point(replace(cell, options=options), task)
    setting = tuning_setting(point, source_digest or "")
    without = ("source", *(() if source_digest is not None else ("source_digest",)))
    for name, value in {"methods": "", **setting}.items():
        if name not in without and tuning.setting.get(name, "") != value:
            return f"its learning rate was tuned for {name} {tuning.setting.get(name)}"
    strategy = strategy_of(benchmark, task, point)
    if (searched := tuning.setting.get(STRATEGY)) != strategy.setting:
        return f"its learning rate was tuned with {searched}, not with {strategy.setting}"
    return search_problem(strategy, tuning)


def check_tuning_files(choices: Iterable[Tuned], tasks: Mapping[str, Task]) -> None:
    """Raise a RequestError if a tuned learning rate does not follow from the trials in its file."""
    for tuned in choices:
        task = tasks.get(tuned.task)
        if task and (reason := file_problem(tuned, task)):
            raise RequestError(
                "A tuned learning rate must follow from its trials",
                received=f"results/tuning/{tuned.task}/{tuned.architecture}: {reason}",
                remedy="Restore the file as `bench tune` wrote it",
            )


def file_problem(tuned: Tuned, task: Task) -> str | None:
    """Return why the choice of a tuning file does not follow from the trials in the file."""
    setting = tuned.choice.setting
    settings = TuningSettings(**setting[STRATEGY])
    return search_problem(_strategy(settings, task, setting["steps"]), tuned.choice)


def search_problem(strategy: Strategy, tuning: TuningChoice) -> str | None:
    """Return why a choice does not follow from its trials by a search of this strategy.

    Replayed with the stated scores, the search must take exactly the stated trials, and lead to the
    same choice and range of good rates. Its cost is as stated: `--max-cost` may have continued it.
    """
    strategy = replace(strategy, max_cost=max(strategy.most_cost, math.ceil(tuning.cost or 0)))
    scores = _replayed(strategy, _stated_scores(tuning))
    if isinstance(scores, str):
        return scores
    choice = strategy.choose(scores)
    if choice.learning_rate != tuning.learning_rate:
        chosen = f"choose {choice.learning_rate:g}" if choice.learning_rate else choice.reason
        return (
            f"its learning rate {tuning.learning_rate:g} does not follow from its trials: {chosen}"
        )
    width = strategy.good_range_decades(scores)
    if not math.isclose(width or 0.0, tuning.good_range_decades or 0.0, abs_tol=1e-6):
        return f"its range of good rates is {tuning.good_range_decades}, that of its trials {width}"
    return None


def _stated_scores(tuning: TuningChoice) -> dict[tuple[float, int, int], float | None]:
    return {
        (float(trial["learning_rate"]), int(run["seed"]), int(trial["steps"])): (
            run["validation"] if run["status"] == "ok" else None
        )
        for trial in tuning.trials
        for run in trial["runs"]
    }


def _replayed(
    strategy: Strategy, stated: Mapping[tuple[float, int, int], float | None]
) -> dict[Trial, float | None] | str:
    """Return the scores of a search's trials in its order, or how the stated trials differ."""
    scores: dict[Trial, float | None] = {}
    left = dict(stated)
    while trials := strategy.next_trials(scores):
        for trial in trials:
            key = trial.learning_rate, trial.seed, strategy.steps_of(trial)
            if key not in stated:
                return f"its search lacks the trial {_trial_text(*key)}"
            scores[trial] = stated[key]
            left.pop(key, None)
    if left:
        return f"its search would not take the trial {_trial_text(*next(iter(left)))}"
    return scores


def unpublished_trial(record: RecordSummary, published: Mapping[str, RecordSummary]) -> str | None:
    """Return which trial of a learning rate's evidence is not published as the evidence states it.

    `published` holds the published records by run id. Each named run must be there: a trial of the
    same cell but for rate, seed and steps, on the same data, with the same status and score.
    """
    tuning = record.ranking.tuning
    if tuning is None:
        return None
    for trial in tuning.trials:
        for run in trial["runs"]:
            stated = float(trial["learning_rate"]), int(run["seed"]), int(trial["steps"])
            trained = published.get(str(run.get("run_id")))
            if trained is None:
                return (
                    f"its trial {_trial_text(*stated)}, run {run.get('run_id')}, is not among the "
                    "published records: publish the trials too"
                )
            if not _is_trial(trained, record, tuning.setting, *stated):
                return f"run {trained.run_id} is not its trial {_trial_text(*stated)}"
            score = trained.metric(record.ranking.metric or "", "validation")
            if str(trained.status) != run["status"] or not _same_score(score, run["validation"]):
                return (
                    f"its trial {_trial_text(*stated)} is stated as {run['status']}, "
                    f"{run['validation']}; the published run {trained.run_id} is {trained.status}, "
                    f"{score}"
                )
    return None


def _is_trial(
    trained: RecordSummary,
    record: RecordSummary,
    setting: Mapping[str, Any],
    learning_rate: float,
    seed: int,
    steps: int,
) -> bool:
    """Return whether a run is a trial of a final run; its data may have another name.

    `setting` states the length and the batch size of the trials.
    """
    wanted = {**record.cell.options, "learning_rate": learning_rate}
    options = {**trained.cell.options, "learning_rate": trained.ranking.learning_rate}
    trial = replace(
        record.cell,
        sequence_length=setting.get("sequence_length", 0),
        batch_size=setting.get("batch_size", 0),
        seed=seed,
        steps=steps,
        benchmark=None,
        scores_test=False,
        methods=training_methods(record.cell.methods),
    )
    return (
        options == wanted
        and _without_source(trained.cell) == _without_source(trial)
        and trained.fingerprint in ("", record.fingerprint)
    )


def _without_source(cell: Cell) -> Cell:
    return replace(cell, options={}, source=None, threads=1, evaluation_lengths=())


def _same_score(score: float | None, other: float | None) -> bool:
    """Return whether two scores are equal, as far as archives keep their digits."""
    if score is None or other is None:
        return score is other
    return math.isclose(score, other, rel_tol=1e-6)


def _trial_text(learning_rate: float, seed: int, steps: int) -> str:
    return f"at the learning rate {learning_rate:g}, seed {seed} and {steps} steps"
