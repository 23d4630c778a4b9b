"""A train cell: load data, build the model, train it or take a trained one, and score it.

Validation selects the weights. The test split is scored once, at the end, if the cell scores it;
otherwise it is sealed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from suite.api import (
    TRAINED,
    Architecture,
    BuildRequest,
    Examples,
    Job,
    Options,
    Status,
    Task,
    TaskData,
    build_request,
    count_positions,
    declared_state_bytes,
    task_options,
    uses_xla,
)
from suite.api.evaluation_lengths import NO_SAMPLES, UNFINISHED
from suite.worker.building import build_model
from suite.worker.data import encoded
from suite.worker.data.batches import bucket_lengths
from suite.worker.failures import classify
from suite.worker.measure import warmup
from suite.worker.measure.memory import PeakMemory
from suite.worker.methods import (
    compose,
    find_methods,
    first_batch,
    objective,
    parents_of,
    save_model,
)
from suite.worker.steps import allocator, devices, fix_randomness
from suite.worker.train.evaluation import splits_of
from suite.worker.train.evaluation_lengths import LengthEvaluator
from suite.worker.train.phases import Setup, score_trained, train_and_score
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
    fix_randomness(cell.seed, cell.precision)
    report_progress("loading data", 0.0)
    applied = find_methods(cell, job.search_path)
    options = task_options(task, cell.options)
    started = time.perf_counter()
    encoded.encode_apart(job, task, options)
    data = encoded.load(job, task, options)
    data_seconds = time.perf_counter() - started
    if not cell.scores_test:
        data = seal_test(data)
    task = objective(task, applied)
    request = build_request(cell, job.model_size, job.recipe, task, architecture, data.spec)
    xla = uses_xla(cell, architecture, request)
    parents = parents_of(job.parents, job.search_path, data)
    methods = compose(applied, cell, task, request, job.recipe, data.spec, parents)
    data = methods.data(data)
    report_progress("warming up", 0.0)
    warmup.throwaway_step(xla)
    fix_randomness(cell.seed, cell.precision)  # the random numbers of the warm-up change no result

    inference_memory = PeakMemory(allocator())
    inference_memory.start()
    model = build_model(task, architecture, request, data.spec, job.recipe)
    has_trained = TRAINED in job.parents
    batch = first_batch(task, data, cell.batch_size)
    model = methods.model(model, batch, initializes=not has_trained)
    setup = Setup(job, task, data, model, methods, xla, code_digests, report_progress)
    finish = score_trained if has_trained else train_and_score
    finished = finish(setup, inference_memory)
    outcome: dict[str, Any] = {
        "status": Status.OK,
        **finished.fields,
        "parameter_count": model.parameter_counts()["total"],
        "parameter_counts": model.parameter_counts(),
        "data": dict(data.facts),
        "environment": {"devices": devices()},
        "details": {
            "data_seconds": data_seconds,
            **_run_details(job, request, options, xla),
            "declared_state_bytes": declared_state_bytes(
                cell, architecture, request, cell.sequence_length
            ),
            **finished.details,
            **_data_details(task, data, with_test=cell.scores_test),
        },
    }
    model = finished.model
    if job.keeps_weights:
        outcome["details"] |= save_model(model, job, data.spec)
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


def _run_details(job: Job, request: BuildRequest, options: Options, xla: bool) -> dict[str, Any]:
    recipe = job.recipe
    return {
        "xla": xla,
        "options": {**options, **request.options},
        "recipe": {name: getattr(recipe, name) for name in recipe.__dataclass_fields__},
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
