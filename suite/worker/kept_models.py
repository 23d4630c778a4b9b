"""Trained models whose weights are kept: the parents of other cells, and models for predictions."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import Job, RequestError, Task, TaskData, build_request
from suite.api.plugins import ARCHITECTURES, METHODS, TASKS, PluginKind, find_plugin
from suite.api.weights import (
    MAX_WEIGHTS_BYTES,
    WEIGHTS_FILE,
    KeptWeights,
    read_kept_weights,
    write_about,
)
from suite.worker.composition import compose, find_methods, objective
from suite.worker.data.batches import Batch, evaluation_batches
from suite.worker.model import Model, build_model


def parents_of(folders: Mapping[str, Path], search_path: Sequence[str], data: TaskData) -> Any:
    """Return, by role, functions that build the trained models in some folders.

    No model is kept here: a parent that only sets initial weights takes no memory in the training.
    """
    return {
        role: functools.partial(load_model, folder, search_path, data)
        for role, folder in folders.items()
    }


def load_model(folder: Path, search_path: Sequence[str], data: TaskData) -> Model:
    """Return the trained model of a folder of kept weights, whose data has the spec of `data`.

    Raises:
        HomeError: the weights are missing or changed.
        RequestError: the code has other versions, or the data another vocabulary or other labels.
    """
    kept = read_kept_weights(folder)
    check_kept(kept, search_path)
    _check_same_data(kept.spec, data)
    batch = first_batch(kept_task(kept, search_path), data, kept.cell.batch_size)
    return build_kept(kept, search_path, data.spec, batch)


def check_kept(kept: KeptWeights, search_path: Sequence[str]) -> None:
    """Raise an error unless weights and plug-ins are those of the training.

    Raises:
        HomeError: the weights are missing or changed.
        RequestError: a plug-in has another version.
    """
    kept.check()
    cell = kept.cell
    assert cell.task is not None
    versions: list[tuple[PluginKind[Any], str, int | None]] = [
        (TASKS, cell.task, cell.task_version),
        (ARCHITECTURES, cell.architecture, cell.architecture_version),
        *((METHODS, applied.name, applied.version) for applied in cell.methods),
    ]
    for kind, key, version in versions:
        present = find_plugin(kind, key, search_path).version
        if present != version:
            raise RequestError(
                "Kept weights are loaded by the versions with which they were trained",
                received=f"version {version} of the {kind.word} {key} instead of {present}",
                remedy=f"Run the cell {cell.id} again with --keep-weights",
            )


def kept_task(kept: KeptWeights, search_path: Sequence[str]) -> Task:
    """Return the task that a kept model was trained on."""
    assert kept.cell.task is not None
    task = find_plugin(TASKS, kept.cell.task, search_path)
    return objective(task, find_methods(kept.cell, search_path))


def build_kept(
    kept: KeptWeights, search_path: Sequence[str], spec: Mapping[str, Any], batch: Batch
) -> Model:
    """Return a kept model with its weights; it is built with a batch of its task."""
    cell, recipe = kept.cell, kept.recipe
    task = kept_task(kept, search_path)
    architecture = find_plugin(ARCHITECTURES, cell.architecture, search_path)
    request = build_request(cell, kept.model_size, recipe, task, architecture, spec)
    applied = find_methods(cell, search_path)
    methods = compose(applied, cell, task, request, recipe, spec, {})
    plain = build_model(task, architecture, request, spec, recipe)
    plain(dict(batch.features))
    model: Model = methods.compress(methods.model(plain, batch))
    model.load_weights(kept.path)
    return model


def first_batch(task: Task, data: TaskData, batch_size: int) -> Batch:
    """Return the first batch of the validation split."""
    split = data.validation
    return next(evaluation_batches(split, batch_size, task.contiguous, task.length_buckets))


def _check_same_data(kept: Mapping[str, Any], data: TaskData) -> None:
    """Check that a model was trained on data with a given spec.

    Entries that belong to the test split are not compared: one of the two runs may not score it.
    """
    present = json.loads(json.dumps(dict(data.spec)))
    compared = {*kept, *present} - {*data.sealed_spec}
    if different := [name for name in sorted(compared) if kept.get(name) != present.get(name)]:
        raise RequestError(
            "A model is taken by a cell whose data has the same vocabulary and labels",
            received=f"a parent that differs in {', '.join(different)}",
            remedy="Give both cells the same options of the task",
        )


def save_model(model: Model, job: Job, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Write the weights of a trained model, and return the facts on them for the record.

    A full disk, or a model above `MAX_WEIGHTS_BYTES`, loses the weights and not the record.
    """
    num_bytes = sum(int(np.prod(part.shape)) * 4 for part in model.weights)
    if num_bytes > MAX_WEIGHTS_BYTES:
        return {"weights_problem": f"{num_bytes:,} bytes are more than {MAX_WEIGHTS_BYTES:,}"}
    try:
        job.weights.mkdir()
        model.save_weights(job.weights / WEIGHTS_FILE)
        kept = write_about(job.weights, job, spec)
    except OSError as error:
        shutil.rmtree(job.weights, ignore_errors=True)
        return {"weights_problem": f"the weights could not be written: {error.strerror}"}
    return {"weights": {"sha256": kept.sha256, "bytes": kept.num_bytes}}
