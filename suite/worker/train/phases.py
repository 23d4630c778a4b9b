"""The two ways to a scored model: train it, or take a trained model and compress it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from suite.api import (
    TRAINED,
    Examples,
    Job,
    Score,
    Task,
    TaskData,
    count_positions,
    count_real,
)
from suite.api.errors import PluginError
from suite.api.weights import read_kept_weights
from suite.worker.data.batches import Batch
from suite.worker.measure.memory import PeakMemory, measure_weight_bytes, release_freed_memory
from suite.worker.measure.timing import MAX_SAMPLES, StepTimings, time_repeats
from suite.worker.methods import Composition
from suite.worker.steps import Model, make_gradient_step, make_prediction_step
from suite.worker.train.evaluation import Evaluator, splits_of
from suite.worker.train.loop import TrainingLoop


@dataclass(frozen=True)
class Setup:
    """A model with its data and its methods, ready to train."""

    job: Job
    task: Task
    data: TaskData
    model: Any
    methods: Composition
    xla: bool
    code_digests: Sequence[str | None]
    report_progress: Callable[..., None]


@dataclass(frozen=True)
class Finished:
    """A scored model, and the fields and details of its outcome."""

    model: Any
    fields: Mapping[str, Any]
    details: Mapping[str, Any]


@dataclass(frozen=True)
class _Measured:
    """The evaluator of a model, and the cost of its inference."""

    evaluator: Evaluator
    timings: StepTimings
    memory: PeakMemory

    def measured(self) -> dict[str, Any]:
        return {**self.timings.measured(), **self.memory.measured()}


def train_and_score(setup: Setup, memory: PeakMemory) -> Finished:
    """Measure inference, train, and score the weights that are best on validation."""
    measured = _measure(setup, setup.model, memory)
    training_memory = memory.next_phase()
    loop = TrainingLoop(
        setup.job,
        setup.task,
        setup.data,
        setup.model,
        measured.evaluator,
        training_memory,
        setup.xla,
        setup.code_digests,
        setup.report_progress,
        setup.methods,
    )
    loop.run()
    assert loop.progress.best is not None
    setup.report_progress("scoring", 0.0)
    scores = {"validation": loop.progress.best.score}
    if setup.job.cell.scores_test:
        scores |= measured.evaluator.final_scores()
    fields = {
        **_scores(scores),
        "curves": _curves(setup.task, loop),
        "measurements": {
            "inference": measured.measured(),
            "training": {**loop.timings.measured(), **loop.memory.measured()},
        },
        **_conditions(setup, setup.model, measured.evaluator),
    }
    noisy = [
        *measured.timings.noisy_phases("inference"),
        *loop.timings.noisy_phases("training"),
    ]
    facts = setup.methods.facts(setup.model, training=True)
    details = {"noisy": noisy, **_training_details(loop), **({"methods": facts} if facts else {})}
    return Finished(setup.model, fields, details)


def score_trained(setup: Setup, memory: PeakMemory) -> Finished:
    """Score the trained model of the parent, compress it, and score it again.

    The figures of the record are those of the compressed model. The variant `TRAINED` has those of
    the model before, measured in the same process.
    """
    kept = read_kept_weights(setup.job.parents[TRAINED])
    kept.check()
    setup.model.load_weights(kept.path)
    model = setup.model
    facts = setup.methods.facts(model, training=True)
    measured = _measure(setup, model, memory)
    variants: dict[str, Any] = {}
    if setup.methods.compresses:
        scores = {split: measured.evaluator.score(split) for split in _scored_splits(setup)}
        variants[TRAINED] = {
            "metrics": _scores(scores)["metrics"],
            "measurements": {"inference": _with_weight_bytes(measured, model)},
        }
        setup.report_progress("compressing", 0.0)
        model = setup.methods.compress(model)
        measured = _measure(setup, model, memory.next_phase())
    setup.report_progress("scoring", 0.0)
    scores = {"validation": measured.evaluator.score("validation")}
    if setup.job.cell.scores_test:
        scores |= measured.evaluator.final_scores()
    fields = {
        **_scores(scores),
        "measurements": {"inference": _with_weight_bytes(measured, model)},
        "variants": variants,
        **_conditions(setup, model, measured.evaluator),
    }
    details = {
        "noisy": measured.timings.noisy_phases("inference"),
        "parent": {"cell_id": kept.cell.id, "weights_sha256": kept.sha256},
        "methods": {**facts, **setup.methods.facts(model, training=False)},
    }
    return Finished(model, fields, details)


def measure_inference(
    predict: Callable[[Batch], Any], batch: Batch, memory: PeakMemory, threads: int
) -> StepTimings:
    """Time prediction on one full batch."""
    tokens, positions = count_real(batch.features), count_positions(batch.features)
    return time_repeats(lambda: predict(batch), tokens, positions, memory, threads=threads)


def _measure(setup: Setup, model: Any, memory: PeakMemory) -> _Measured:
    """Compile and time the inference of a model."""
    predict = make_prediction_step(model, setup.task.predict, setup.xla)
    evaluator = Evaluator(setup.job, setup.task, setup.data, model, predict)
    setup.report_progress("measuring inference", 0.0)
    longest = next(evaluator.batches("validation"))
    timings = measure_inference(predict, longest, memory, setup.job.cell.threads)
    release_freed_memory()
    return _Measured(evaluator, timings, memory)


def _scored_splits(setup: Setup) -> tuple[str, ...]:
    return ("validation", "test") if setup.job.cell.scores_test else ("validation",)


def _conditions(setup: Setup, model: Any, evaluator: Evaluator) -> dict[str, Any]:
    """Score disturbed copies of the splits that the cell scores; empty without such methods."""
    found: dict[str, dict[str, Any]] = {}
    for split in _scored_splits(setup):
        examples: Examples = splits_of(setup.data)[split]
        for name, disturbed in setup.methods.conditions(model, examples):
            by_split = found.setdefault(checked_condition(name), {})
            setup.report_progress("scoring conditions", 0.0)
            data = _with_split(setup.data, split, disturbed)
            score = replace(evaluator, data=data).score(split)
            by_split[split] = dict(score.metrics)
    for name, disturb in _attacks(setup, model):
        by_split = found.setdefault(checked_condition(name), {})
        for split in _scored_splits(setup):
            setup.report_progress("scoring conditions", 0.0)
            predict = partial(_predict_disturbed, evaluator.predict, disturb)
            score = replace(evaluator, predict=predict).score(split)
            by_split[split] = dict(score.metrics)
    return {"conditions": found} if found else {}


def checked_condition(name: str) -> str:
    """Return the name of a disturbance.

    Raises:
        PluginError: the name does not end in a strength.
    """
    if re.fullmatch(r"[a-z][a-z0-9_]*=\d+(\.\d+)?(e-?\d+)?", name):
        return name
    raise PluginError(
        "A method names a disturbance with its strength, a number",
        received=repr(name),
        remedy='Yield a name such as "typos=0.05"',
    )


def _attacks(setup: Setup, model: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield names and functions that disturb a batch with the gradient of its loss."""
    if setup.methods.attacks_model:
        gradient = make_gradient_step(model, setup.task.loss, setup.xla)
        yield from setup.methods.attacks(gradient)


def _predict_disturbed(
    predict: Callable[[Batch], Any], disturb: Callable[..., Any], batch: Batch
) -> Any:
    return predict(replace(batch, features=disturb(batch.features, batch.targets)))


def _with_split(data: TaskData, split: str, examples: Examples) -> TaskData:
    if split == "test":
        return replace(data, test=examples)
    return replace(data, validation=examples)


def _with_weight_bytes(measured: _Measured, model: Model) -> dict[str, Any]:
    return {**measured.measured(), "weight_bytes": measure_weight_bytes(model)}


def _scores(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {
        "metrics": {split: dict(score.metrics) for split, score in scores.items()},
        "reports": {split: dict(score.reports) for split, score in scores.items()},
    }


def _curves(task: Task, loop: TrainingLoop) -> dict[str, Any]:
    return {
        "training_loss": _curve(loop.progress.losses),
        f"validation_{task.primary_metric.name}": _curve(loop.progress.validations),
        "training_seconds": _curve(loop.progress.seconds),
    }


def _curve(points: Sequence[tuple[int, float]]) -> dict[str, list[float]]:
    """Return a curve of at most `MAX_SAMPLES` points, each the mean of neighbouring points."""
    merged = math.ceil(len(points) / MAX_SAMPLES) or 1
    groups = [points[start : start + merged] for start in range(0, len(points), merged)]
    return {
        "tokens": [group[-1][0] for group in groups],
        "values": [float(np.mean([value for _, value in group])) for group in groups],
    }


def _training_details(loop: TrainingLoop) -> dict[str, Any]:
    progress = loop.progress
    assert progress.best is not None
    return {
        "waiting_for_data_share": loop.waiting_seconds / loop.training_seconds,
        "training_steps": progress.steps,
        "training_tokens": progress.tokens,
        "best_weights_at_tokens": progress.best.tokens,
        "resumed_at_steps": progress.resumed_at,
    }
