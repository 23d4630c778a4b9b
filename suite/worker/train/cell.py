"""A train cell: load data, build the model, train it or take a trained one, and score it.

Validation selects the weights. The test split is scored once, at the end, if the cell scores it;
otherwise it is sealed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from suite.api import (
    TRAINED,
    Architecture,
    Examples,
    Job,
    Status,
    Task,
    build_request,
    count_positions,
    declared_state_bytes,
    task_options,
    uses_xla,
)
from suite.api.evaluation_lengths import NO_SAMPLES, UNFINISHED
from suite.worker.backends import backend
from suite.worker.composition import compose, find_methods, objective
from suite.worker.data import encoded
from suite.worker.data.batches import bucket_lengths
from suite.worker.failures import classify
from suite.worker.kept_models import first_batch, parents_of, save_model
from suite.worker.measure.warmup import warm_up
from suite.worker.model import build_model
from suite.worker.steps import fix_randomness
from suite.worker.train.evaluation_lengths import reports_at_lengths
from suite.worker.train.phases import score_trained, train_and_score
from suite.worker.train.samples import draw_samples
from suite.worker.train.setup import Setup, seal_test, splits_of


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
    cell, recipe = job.cell, job.recipe
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
    request = build_request(cell, job.model_size, recipe, task, architecture, data.spec)
    xla = uses_xla(cell, architecture, request)
    parents = parents_of(job.parents, job.search_path, data)
    methods = compose(applied, cell, task, request, recipe, data.spec, parents)
    data = methods.data(data)
    memory = warm_up(cell, xla, report_progress)
    has_trained = TRAINED in job.parents
    model = methods.model(
        build_model(task, architecture, request, data.spec, recipe),
        first_batch(task, data, cell.batch_size),
        initializes=not has_trained,
    )
    setup = Setup(
        *(job, task, architecture, request, options, data, model, methods, xla),
        code_digests,
        report_progress,
    )
    finished = (score_trained if has_trained else train_and_score)(setup, memory)
    counts = model.parameter_counts()
    outcome: dict[str, Any] = {
        "status": Status.OK,
        **finished.fields,
        "parameter_count": counts["total"],
        "parameter_counts": counts,
        "data": dict(data.facts),
        "environment": {"devices": list(backend.devices())},
        "details": {
            "data_seconds": data_seconds,
            "xla": xla,
            "options": {**options, **request.options},
            "recipe": asdict(recipe),
            "declared_state_bytes": declared_state_bytes(
                cell, architecture, request, cell.sequence_length
            ),
            **finished.details,
            "real_token_share": {
                split: _real_token_share(splits_of(data)[split], task.length_buckets)
                for split in ("train", *setup.scored_splits)
            },
        },
    }
    setup = replace(setup, model=finished.model)
    if job.keeps_weights:
        outcome["details"] |= save_model(setup.model, job, data.spec)
    for reports, left in reports_at_lengths(setup, outcome["reports"]):
        outcome["reports"] = reports
        if left:
            write({**outcome, UNFINISHED: left})
    if job.draws_samples and task.prompts(data.validation, data.spec):
        report_progress("drawing samples", 0.0)
        write({**outcome, UNFINISHED: ()})
        try:
            samples = draw_samples(job, task, data, setup.model)
        except Exception as error:
            status, reason = classify(error)
            if status is not Status.OUT_OF_MEMORY:
                raise
            outcome["details"][NO_SAMPLES] = f"{status}: {reason}"
        else:
            outcome["reports"]["validation"] |= {"samples": samples} if samples else {}
    return outcome


def _real_token_share(examples: Examples, buckets: Sequence[float]) -> float:
    full = examples.features["padding_mask"].shape[1]
    lengths = bucket_lengths(examples, buckets)
    positions = count_positions(examples.features) * lengths.mean() / full
    return float(examples.num_tokens / positions)
