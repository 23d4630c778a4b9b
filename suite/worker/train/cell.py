"""A train cell: load data, build the model, measure inference, train, score.

Validation selects the weights. The test split is scored once, at the end, if the cell scores it;
otherwise it is sealed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from suite.api import (
    Architecture,
    BuildRequest,
    Examples,
    Inputs,
    Job,
    Options,
    Score,
    Status,
    Task,
    TaskData,
    build_request,
    count_positions,
    count_real,
    declared_state_bytes,
    task_options,
    uses_xla,
)
from suite.api.errors import PluginError
from suite.api.evaluation_lengths import NO_SAMPLES, UNFINISHED
from suite.worker.data import encoded
from suite.worker.data.batches import Batch, bucket_lengths
from suite.worker.failures import classify
from suite.worker.measure import warmup
from suite.worker.measure.memory import PeakMemory, release_freed_memory
from suite.worker.measure.timing import MAX_SAMPLES, StepTimings, time_repeats
from suite.worker.steps import (
    Model,
    allocator,
    devices,
    fix_randomness,
    make_prediction_step,
)
from suite.worker.train.evaluation import Evaluator, splits_of
from suite.worker.train.evaluation_lengths import LengthEvaluator
from suite.worker.train.loop import TrainingLoop
from suite.worker.train.samples import draw_samples
from suite.worker.train.sealing import seal_test


def run(
    job: Job,
    task: Task,
    architecture: Architecture,
    code_digests: Sequence[str | None],
    report_progress: Callable[..., None],
    write: Callable[[Mapping[str, Any]], None],
) -> dict[str, Any]:
    """Run a train cell and return its outcome; a checkpoint of other `code_digests` is ignored.

    Before each evaluation length, and before the samples, `write` gets the outcome so far.
    """
    cell = job.cell
    fix_randomness(cell.seed)
    report_progress("loading data", 0.0)
    options = task_options(task, cell.options)
    started = time.perf_counter()
    encoded.encode_apart(job, task, options)
    data = encoded.load(job, task, options)
    data_seconds = time.perf_counter() - started
    if not cell.scores_test:
        data = seal_test(data)
    request = build_request(cell, job.model_size, job.recipe, task, architecture, data.spec)
    xla = uses_xla(cell, architecture, request)
    report_progress("warming up", 0.0)
    warmup.throwaway_step(xla)
    fix_randomness(cell.seed)  # the random numbers of the warm-up change no result

    inference_memory = PeakMemory(allocator())
    inference_memory.start()
    model = build_model(job, task, architecture, request, data)
    predict = make_prediction_step(model, task.predict, xla)
    evaluator = Evaluator(job, task, data, model, predict)
    report_progress("measuring inference", 0.0)
    longest = next(evaluator.batches("validation"))
    inference = measure_inference(predict, longest, inference_memory, cell.threads)
    release_freed_memory()

    training_memory = replace(inference_memory, highest_bytes=None, compile_bytes=None)
    loop = TrainingLoop(
        job, task, data, model, evaluator, training_memory, xla, code_digests, report_progress
    )
    loop.run()
    assert loop.progress.best is not None
    report_progress("scoring", 0.0)
    scores = {"validation": loop.progress.best.score}
    if cell.scores_test:
        scores |= evaluator.final_scores()
    phases = {"inference": (inference, inference_memory), "training": (loop.timings, loop.memory)}
    outcome: dict[str, Any] = {
        "status": Status.OK,
        **_scores(scores),
        "curves": _curves(task, loop),
        "measurements": {
            phase: {**timings.measured(), **memory.measured()}
            for phase, (timings, memory) in phases.items()
        },
        "parameter_count": model.parameter_counts()["total"],
        "parameter_counts": model.parameter_counts(),
        "data": dict(data.facts),
        "environment": {"devices": devices()},
        "details": {
            "noisy": [
                *(
                    item
                    for name, (timings, _) in phases.items()
                    for item in timings.noisy_phases(name)
                )
            ],
            "data_seconds": data_seconds,
            **_run_details(job, request, options, xla),
            "declared_state_bytes": declared_state_bytes(
                cell, architecture, request, cell.sequence_length
            ),
            **_training_details(loop),
            **_data_details(task, data, with_test=cell.scores_test),
        },
    }
    lengths = LengthEvaluator(job, task, architecture, request, options, data, model, xla)
    for reports, left in lengths.reports(outcome["reports"], report_progress):
        outcome["reports"] = reports
        if left:
            write({**outcome, UNFINISHED: left})
    if job.draws_samples and task.prompts(data.validation, data.spec):
        report_progress("drawing samples", 0.0)
        write({**outcome, UNFINISHED: ()})
        try:
            samples = draw_samples(job, task, data, model)
        except Exception as error:
            status, reason = classify(error)
            if status is not Status.OUT_OF_MEMORY:
                raise
            outcome["details"][NO_SAMPLES] = f"{status}: {reason}"
        else:
            outcome["reports"]["validation"] |= {"samples": samples} if samples else {}
    return outcome


def build_model(
    job: Job, task: Task, architecture: Architecture, request: BuildRequest, data: TaskData
) -> Model:
    """Build the task's embedding, the architecture's backbone and the task's head."""
    return Model(
        build_embedding(task, request, data.spec),
        architecture.build(request),
        task.build_head(data.spec),
        task.form,
        task.contiguous and job.recipe.carry_state,
    )


def build_embedding(task: Task, request: BuildRequest, spec: Mapping[str, Any]) -> Any:
    """Build the task's embedding; None where the architecture embeds token ids or patches.

    Raises:
        PluginError: the task returns an embedding for `Inputs.TOKEN_IDS`, or none for
            `Inputs.EMBEDDINGS`.
    """
    embedding = task.build_embedding(spec, request.model_size.width)
    given = embedding is not None
    if {Inputs.TOKEN_IDS: False, Inputs.EMBEDDINGS: True}.get(request.inputs, given) != given:
        raise PluginError(
            "`build_embedding` must return an embedding for Inputs.EMBEDDINGS, and None for "
            "Inputs.TOKEN_IDS",
            received=f"Inputs.{request.inputs.name} and {embedding} from build_embedding",
            remedy="Change the task's `inputs` (or `inputs_for`), or what build_embedding returns",
        )
    return embedding


def measure_inference(
    predict: Callable[[Batch], Any], batch: Batch, memory: PeakMemory, threads: int
) -> StepTimings:
    """Time prediction on one full batch."""
    tokens, positions = count_real(batch.features), count_positions(batch.features)
    return time_repeats(lambda: predict(batch), tokens, positions, memory, threads=threads)


def _scores(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {
        "metrics": {split: dict(score.metrics) for split, score in scores.items()},
        "reports": {split: dict(score.reports) for split, score in scores.items()},
    }


def _curves(task: Task, loop: TrainingLoop) -> dict[str, Any]:
    return {
        "training_loss": _curve(loop.progress.losses),
        f"validation_{task.primary_metric.name}": _curve(loop.progress.validations),
    }


def _curve(points: Sequence[tuple[int, float]]) -> dict[str, list[float]]:
    """Return a curve of at most `MAX_SAMPLES` points, each the mean of neighbouring points."""
    merged = math.ceil(len(points) / MAX_SAMPLES) or 1
    groups = [points[start : start + merged] for start in range(0, len(points), merged)]
    return {
        "tokens": [group[-1][0] for group in groups],
        "values": [float(np.mean([value for _, value in group])) for group in groups],
    }


def _run_details(job: Job, request: BuildRequest, options: Options, xla: bool) -> dict[str, Any]:
    recipe = job.recipe
    return {
        "xla": xla,
        "options": {**options, **request.options},
        "recipe": {name: getattr(recipe, name) for name in recipe.__dataclass_fields__},
    }


def _training_details(loop: TrainingLoop) -> dict[str, Any]:
    progress = loop.progress
    assert progress.best is not None
    return {
        "waiting_for_data_share": loop.waiting_seconds / loop.training_seconds,
        "training_steps": progress.steps,
        "training_tokens": progress.tokens,
        "best_weights_at_tokens": progress.best.tokens,
        "best_weights_are_averaged": progress.best.averaged,
        "resumed_at_steps": progress.resumed_at,
    }


def _data_details(task: Task, data: TaskData, *, with_test: bool) -> dict[str, Any]:
    shares = {
        split: _real_token_share(examples, task.length_buckets)
        for split, examples in splits_of(data).items()
        if split != "test" or with_test
    }
    return {"real_token_share": shares}


def _real_token_share(examples: Examples, buckets: Sequence[float]) -> float:
    """Return the share of real tokens among all positions of the examples' buckets."""
    full = examples.features["padding_mask"].shape[1]
    lengths = bucket_lengths(examples, buckets)
    positions = count_positions(examples.features) * lengths.mean() / full
    return float(examples.num_tokens / positions)
