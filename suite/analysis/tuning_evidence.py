"""The check that a tuned learning rate follows from the trials that a record states for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from suite.analysis.rate_search import Strategy, Trial, choose, good_range_decades
from suite.api import Task
from suite.matrix.benchmarks import Benchmark, TuningSettings
from suite.matrix.tuned_rates import STRATEGY, tuning_setting
from suite.records.schema import RecordSummary, TuningChoice


def strategy_of(benchmark: Benchmark, task: Task, steps: int) -> Strategy:
    """Return the search for the learning rate of a final run of `steps` updates."""
    settings = benchmark.tuning or TuningSettings()
    return Strategy(
        learning_rates=settings.learning_rates,
        seeds=settings.seeds,
        steps=steps,
        default_rate=task.recipe.learning_rate,
        higher_is_better=task.primary_metric.higher_is_better,
    )


def evidence_problem(record: RecordSummary, task: Task, benchmark: Benchmark) -> str | None:
    """Return why the learning rate of a final run is not the choice of its benchmark's search.

    The search must be that of the setting of the run, with the benchmark's rates, seeds and steps.
    The same scores must lead to the same choice and the same range of good rates.
    """
    cell, tuning = record.cell, record.ranking.tuning
    if tuning is None:
        return "its learning rate was not tuned" if benchmark.tuning else None
    options = {name: value for name, value in cell.options.items() if name != "learning_rate"}
    setting = tuning_setting(replace(cell, options=options), (record.data or {}).get("digest", ""))
    without = ("source", *(() if record.data else ("source_digest",)))
    for name, value in setting.items():
        if name not in without and tuning.setting.get(name) != value:
            return f"its learning rate was tuned for {name} {tuning.setting.get(name)}"
    strategy = strategy_of(benchmark, task, cell.steps)
    if (searched := tuning.setting.get(STRATEGY)) != strategy.setting:
        return f"its learning rate was tuned with {searched}, not with {strategy.setting}"
    scores = _scores(tuning, strategy)
    if isinstance(scores, str):
        return scores
    choice = choose(strategy, scores)
    if choice.learning_rate != tuning.learning_rate:
        chosen = f"choose {choice.learning_rate:g}" if choice.learning_rate else choice.reason
        return (
            f"its learning rate {tuning.learning_rate:g} does not follow from its trials: {chosen}"
        )
    width = good_range_decades(strategy, scores)
    if not math.isclose(width or 0.0, tuning.good_range_decades or 0.0, abs_tol=1e-6):
        return f"its range of good rates is {tuning.good_range_decades}, that of its trials {width}"
    return None


def _scores(tuning: TuningChoice, strategy: Strategy) -> dict[Trial, float | None] | str:
    """Return the validation score of each trial, or why the trials are not those of a search."""
    scores: dict[Trial, float | None] = {}
    for of_rate in tuning.trials:
        runs: list[Mapping[str, Any]] = of_rate.get("runs", [])
        for run in runs:
            rate, seed, steps = (
                float(of_rate.get("learning_rate", 0.0)),
                int(run.get("seed", -1)),
                of_rate.get("steps"),
            )
            trials = [
                trial
                for trial in (Trial(rate, seed, long=True), Trial(rate, seed, long=False))
                if steps == strategy.steps_of(trial)
                and seed in strategy.seeds[: None if trial.long else 1]
            ]
            if not trials:
                return (
                    f"its trial at the learning rate {rate}, seed {seed} and {steps} steps is none "
                    "of the benchmark's search"
                )
            scores |= dict.fromkeys(
                trials, run.get("validation") if run.get("status") == "ok" else None
            )
    if missing := [
        rate
        for rate in strategy.learning_rates
        if Trial(rate, strategy.seeds[0], long=False) not in scores
    ]:
        return f"its search lacks a trial at the learning rate {missing[0]:g}"
    return scores
