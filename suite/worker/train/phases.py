"""The two ways to a scored model: train it, or take a trained model and compress it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suite.api import TRAINED, Examples, PluginError, Score, count_positions, count_real
from suite.api.weights import read_kept_weights
from suite.worker.data.batches import Batch
from suite.worker.kept_models import first_batch
from suite.worker.measure.memory import PeakMemory, measure_weight_bytes, release_freed_memory
from suite.worker.measure.timing import MAX_SAMPLES, Phase, time_repeats
from suite.worker.model import Model
from suite.worker.steps import make_gradient_step, make_prediction_step
from suite.worker.train.evaluation import Evaluator
from suite.worker.train.loop import TrainingLoop
from suite.worker.train.setup import Setup, splits_of


@dataclass(frozen=True)
class Finished:
    """A scored model, and the fields and details of its outcome."""

    model: Model
    fields: Mapping[str, Any]
    details: Mapping[str, Any]


def train_and_score(setup: Setup, memory: PeakMemory) -> Finished:
    """Measure inference, train, and score the weights that are best on validation."""
    evaluator, inference = measure_inference(setup, memory)
    loop = TrainingLoop(setup, evaluator, memory.next_phase())
    loop.run()
    progress = loop.progress
    assert progress.best is not None
    scores = _final_scores(setup, evaluator, progress.best.score)
    phases = (inference, loop.phase)
    fields = {
        **_scores(scores),
        "curves": {
            "training_loss": _curve(progress.losses),
            f"validation_{setup.task.primary_metric.name}": _curve(progress.validations),
            "training_seconds": _curve(progress.seconds),
        },
        "measurements": {phase.name: phase.measured() for phase in phases},
        **_conditions(evaluator),
    }
    details = {
        "noisy": [name for phase in phases for name in phase.noisy],
        "waiting_for_data_share": progress.waiting_seconds / progress.training_seconds,
        "training_steps": progress.steps,
        "training_tokens": progress.tokens,
        "best_weights_at_tokens": progress.best.tokens,
        "resumed_at_steps": progress.resumed_at,
    }
    if facts := setup.methods.facts(setup.model, training=True):
        details["methods"] = facts
    return Finished(setup.model, fields, details)


def score_trained(setup: Setup, memory: PeakMemory) -> Finished:
    """Score the trained model of the parent, compress it, and score it again.

    The figures of the record are those of the compressed model. The variant `TRAINED` has those of
    the model before, measured in the same process.
    """
    kept = read_kept_weights(setup.job.parents[TRAINED])
    kept.check()
    setup.model.load_weights(kept.path)
    facts = setup.methods.facts(setup.model, training=True)
    evaluator, inference = measure_inference(setup, memory)
    variants: dict[str, Any] = {}
    if setup.methods.compresses:
        scores = {split: evaluator.score(split) for split in setup.scored_splits}
        variants[TRAINED] = {
            "metrics": _scores(scores)["metrics"],
            "measurements": {"inference": _with_weight_bytes(inference, setup.model)},
        }
        setup.report_progress("compressing", 0.0)
        setup = replace(setup, model=setup.methods.compress(setup.model))
        evaluator, inference = measure_inference(setup, memory.next_phase())
    scores = _final_scores(setup, evaluator)
    fields = {
        **_scores(scores),
        "measurements": {"inference": _with_weight_bytes(inference, setup.model)},
        "variants": variants,
        **_conditions(evaluator),
    }
    details = {
        "noisy": inference.noisy,
        "parent": {"cell_id": kept.cell.id, "weights_sha256": kept.sha256},
        "methods": {**facts, **setup.methods.facts(setup.model, training=False)},
    }
    return Finished(setup.model, fields, details)


def measure_inference(setup: Setup, memory: PeakMemory) -> tuple[Evaluator, Phase]:
    """Compile the inference of a model, and time it on one full batch."""
    predict = make_prediction_step(setup.model, setup.task.predict, setup.xla)
    evaluator = Evaluator(setup, predict)
    setup.report_progress("measuring inference", 0.0)
    longest = first_batch(setup.task, setup.data, setup.job.cell.batch_size)
    phase = time_repeats(
        "inference",
        lambda: predict(longest),
        count_real(longest.features),
        count_positions(longest.features),
        memory,
        threads=setup.job.cell.threads,
    )
    release_freed_memory()
    return evaluator, phase


def _final_scores(
    setup: Setup, evaluator: Evaluator, validation: Score | None = None
) -> dict[str, Score]:
    setup.report_progress("scoring", 0.0)
    scores = {"validation": validation or evaluator.score("validation")}
    return scores | (evaluator.final_scores() if setup.job.cell.scores_test else {})


def _conditions(evaluator: Evaluator) -> dict[str, Any]:
    setup = evaluator.setup
    conditions: dict[str, dict[str, Any]] = {}

    def add(name: str, split: str, disturbed: Evaluator) -> None:
        by_split = conditions.setdefault(checked_condition(name), {})
        setup.report_progress("scoring conditions", 0.0)
        by_split[split] = dict(disturbed.score(split).metrics)

    for split in setup.scored_splits:
        examples: Examples = splits_of(setup.data)[split]
        for name, disturbed in setup.methods.conditions(setup.model, examples):
            changed: dict[str, Any] = {split: disturbed}
            data = replace(setup.data, **changed)
            add(name, split, replace(evaluator, setup=replace(setup, data=data)))
    if setup.methods.attacks_model:
        gradient = make_gradient_step(setup.model, setup.task.loss, setup.xla)
        for name, disturb in setup.methods.attacks(gradient):
            for split in setup.scored_splits:
                add(name, split, replace(evaluator, predict=_attacked(evaluator.predict, disturb)))
    return {"conditions": conditions} if conditions else {}


def _attacked(
    predict: Callable[[Batch], Any], disturb: Callable[..., Any]
) -> Callable[[Batch], Any]:
    return lambda batch: predict(replace(batch, features=disturb(batch.features, batch.targets)))


def checked_condition(name: str) -> str:
    """Return the name of a disturbance; raise a PluginError unless it ends in a strength."""
    if re.fullmatch(r"[a-z][a-z0-9_]*=\d+(\.\d+)?(e-?\d+)?", name):
        return name
    raise PluginError(
        "A method names a disturbance with its strength, a number",
        received=repr(name),
        remedy='Yield a name such as "typos=0.05"',
    )


def _with_weight_bytes(inference: Phase, model: Model) -> dict[str, Any]:
    return {**inference.measured(), "weight_bytes": measure_weight_bytes(model)}


def _scores(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {
        "metrics": {split: dict(score.metrics) for split, score in scores.items()},
        "reports": {split: dict(score.reports) for split, score in scores.items()},
    }


def _curve(points: Sequence[tuple[int, float]]) -> dict[str, list[float]]:
    """Return a curve of at most `MAX_SAMPLES` points, each the mean of neighbouring points."""
    merged = math.ceil(len(points) / MAX_SAMPLES) or 1
    groups = [points[start : start + merged] for start in range(0, len(points), merged)]
    return {
        "tokens": [group[-1][0] for group in groups],
        "values": [float(np.mean([value for _, value in group])) for group in groups],
    }
