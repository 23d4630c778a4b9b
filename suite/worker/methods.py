"""The methods of a cell, composed in the order of their stages."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from suite.api import (
    Architecture,
    BuildRequest,
    Cell,
    Examples,
    Job,
    Method,
    MethodContext,
    Recipe,
    Task,
    TaskData,
    build_request,
    method_options,
    overrides,
)
from suite.api.errors import RequestError
from suite.api.plugins import ARCHITECTURES, METHODS, TASKS, find_plugin
from suite.api.weights import (
    MAX_WEIGHTS_BYTES,
    WEIGHTS_FILE,
    KeptWeights,
    read_kept_weights,
    write_about,
)
from suite.worker.building import build_model
from suite.worker.data.batches import Batch, evaluation_batches
from suite.worker.steps import Model

Applied = Sequence[tuple[Method, Mapping[str, Any]]]
"""The methods of a cell with their options."""


def find_methods(cell: Cell, search_path: Sequence[str]) -> Applied:
    """Return the methods of a cell with all of their options.

    Raises:
        RequestError: a method is unknown.
        PluginError: the file of a method cannot be used.
    """
    found = [(find_plugin(METHODS, one.name, search_path), one) for one in cell.methods]
    return [(method, method_options(method, one)) for method, one in found]


def objective(task: Task, applied: Applied) -> Task:
    """Return the task that is trained: methods may set another objective on the same data."""
    for method, options in applied:
        task = method.task(task, options)
    return task


@dataclass(frozen=True)
class Composition:
    """The methods of a cell, each with its context; each hook passes through all of them."""

    methods: Sequence[tuple[Method, MethodContext]] = ()

    def data(self, data: TaskData) -> TaskData:
        """Return the data, with another training split if a method changes it."""
        for method, context in self.methods:
            data = method.data(data, context)
        return data

    def batches(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Return the training batches."""
        for method, context in self.methods:
            batches = method.batches(batches, context)
        return batches

    def model(self, model: Any, batch: Batch, *, initializes: bool = False) -> Any:
        """Return the model with the structure that the methods give it.

        The model is built with the batch first, if there are methods. With `initializes`, each
        method sets initial weights from the parents too, before the next one changes the structure.
        """
        if self.methods:
            model(dict(batch.features))
        for method, context in self.methods:
            model = method.model(model, context)
            if initializes:
                method.initialize(model, context)
        return model

    def optimizer(self, optimizer: Any, model: Any, total_steps: int) -> Any:
        """Return the optimizer of the training."""
        for method, context in self.methods:
            optimizer = method.optimizer(optimizer, model, total_steps, context)
        return optimizer

    def loss(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        """Return the loss of the training."""
        for method, context in self.methods:
            loss = method.loss(loss, context)
        return loss

    def update_loss(self) -> Callable[..., Any] | None:
        """Return what wraps the loss of an update, or None if no method does."""
        if not _changed_by(self.methods, "update_loss"):
            return None

        def wrap(compute: Callable[..., Any], differentiate: Callable[..., Any]) -> Any:
            for method, context in self.methods:
                compute = method.update_loss(compute, differentiate, context)
            return compute

        return wrap

    def after_step(self, model: Any, total_steps: int) -> Callable[[int], None] | None:
        """Return a function of the number of the update, or None if no method changes the model.

        Steps that wait for each other are slower, so that plain training has no such function.
        """
        changing = _changed_by(self.methods, "after_step")
        if not changing:
            return None

        def change(step: int) -> None:
            for method, context in changing:
                method.after_step(model, step, total_steps, context)

        return change

    def candidates(
        self, model: Any, optimizer: Any, step: int, total_steps: int
    ) -> list[list[Any]] | None:
        """Return the weights that validation scores, or None where those are the model's own."""
        if not _changed_by(self.methods, "candidates"):
            return None
        found = [model.get_weights()]
        for method, context in self.methods:
            found = method.candidates(found, model, optimizer, step, total_steps, context)
        return found

    def state(self) -> dict[str, list[Any]]:
        """Return the arrays that the methods keep through an interruption."""
        return {
            f"{applied.name}.{name}": arrays
            for (_, context), applied in zip(self.methods, self._applied, strict=True)
            for name, arrays in context.state.items()
        }

    def restore(self, state: Mapping[str, list[Any]]) -> None:
        """Set the arrays of the methods to those of a checkpoint."""
        for (_, context), applied in zip(self.methods, self._applied, strict=True):
            prefix = f"{applied.name}."
            kept = {
                name.removeprefix(prefix): x for name, x in state.items() if name.startswith(prefix)
            }
            context.state.clear()
            context.state.update(kept)

    @property
    def compresses(self) -> bool:
        """Whether a method changes the trained model."""
        return bool(_changed_by(self.methods, "compress"))

    def compress(self, model: Any) -> Any:
        """Return the trained model in its compressed form."""
        for method, context in self.methods:
            model = method.compress(model, context)
        return model

    def conditions(self, model: Any, examples: Examples) -> Iterator[tuple[str, Examples]]:
        """Yield names and disturbed copies of examples."""
        for method, context in self.methods:
            yield from method.conditions(model, examples, context)

    @property
    def attacks_model(self) -> bool:
        """Whether a method disturbs batches with the gradient of their loss."""
        return bool(_changed_by(self.methods, "attacks"))

    def attacks(
        self, gradient: Callable[..., Any]
    ) -> Iterator[tuple[str, Callable[..., Mapping[str, Any]]]]:
        """Yield names and functions that disturb a batch."""
        for method, context in self.methods:
            yield from method.attacks(gradient, context)

    def facts(self, model: Any, *, training: bool) -> dict[str, dict[str, Any]]:
        """Return the facts on the model by method: by those of the training, or by the others.

        The former are those of the model before any compression.
        """
        return {
            applied.name: dict(method.facts(model, context))
            for (method, context), applied in zip(self.methods, self._applied, strict=True)
            if applied.stage.trains is training
        }

    @property
    def _applied(self) -> Sequence[Any]:
        return self.methods[0][1].cell.methods if self.methods else ()


def _changed_by(
    methods: Sequence[tuple[Method, MethodContext]], hook: str
) -> list[tuple[Method, MethodContext]]:
    """Return the methods that implement a hook."""
    return [one for one in methods if overrides(one[0], hook)]


def compose(
    applied: Applied,
    cell: Cell,
    task: Task | None,
    request: BuildRequest,
    recipe: Recipe,
    spec: Mapping[str, Any],
    parents: Mapping[str, Callable[[], Any]],
) -> Composition:
    """Return the composition of the methods of a cell."""
    return Composition(
        [
            (method, MethodContext(cell, options, cast(Task, task), request, recipe, spec, parents))
            for method, options in applied
        ]
    )


def parents_of(folders: Mapping[str, Path], search_path: Sequence[str], data: TaskData) -> Any:
    """Return, by role, functions that build the trained models in some folders.

    None is kept here: a parent that only sets initial weights takes no memory in the training.
    """
    return {
        role: functools.partial(load_model, folder, search_path, data)
        for role, folder in folders.items()
    }


def load_model(folder: Path, search_path: Sequence[str], data: TaskData) -> Model:
    """Return the trained model of a folder of kept weights, whose data has the spec of `data`.

    Raises:
        HomeError: the weights are missing, or have another checksum.
        RequestError: the model was trained on data with another vocabulary or other labels.
    """
    kept = read_kept_weights(folder)
    kept.check()
    check_same_data(kept.spec, data)
    batch = first_batch(kept_task(kept, search_path), data, kept.cell.batch_size)
    return build_kept(kept, search_path, data.spec, batch)


def kept_task(kept: KeptWeights, search_path: Sequence[str]) -> Task:
    """Return the task that a kept model was trained on.

    Raises:
        RequestError: the version of the task differs.
    """
    cell = kept.cell
    assert cell.task is not None
    task: Task = find_plugin(TASKS, cell.task, search_path)
    _check_version(cell, f"task {cell.task}", cell.task_version, task.version)
    return objective(task, find_methods(cell, search_path))


def build_kept(
    kept: KeptWeights, search_path: Sequence[str], spec: Mapping[str, Any], batch: Batch
) -> Model:
    """Return a kept model with its weights; it is built with a batch of its task.

    Raises:
        RequestError: the version of the architecture or of a method differs.
    """
    cell = kept.cell
    applied = find_methods(cell, search_path)
    for (method, _), one in zip(applied, cell.methods, strict=True):
        _check_version(cell, f"method {one.name}", one.version, method.version)
    task = kept_task(kept, search_path)
    architecture: Architecture = find_plugin(ARCHITECTURES, cell.architecture, search_path)
    _check_version(
        cell,
        f"architecture {cell.architecture}",
        cell.architecture_version,
        architecture.version,
    )
    request = build_request(cell, kept.model_size, kept.recipe, task, architecture, spec)
    methods = compose(applied, cell, task, request, kept.recipe, spec, {})
    plain = build_model(task, architecture, request, spec, kept.recipe)
    plain(dict(batch.features))
    model: Model = methods.compress(methods.model(plain, batch))
    model.load_weights(kept.path)
    return model


def _check_version(cell: Cell, what: str, kept: int | None, present: int) -> None:
    if kept != present:
        raise RequestError(
            "Kept weights are loaded by the versions with which they were trained",
            received=f"version {kept} of the {what} instead of {present}",
            remedy=f"Run the cell {cell.id} again with --keep-weights",
        )


def first_batch(task: Task, data: TaskData, batch_size: int) -> Batch:
    """Return the first batch of the validation split."""
    split = data.validation
    return next(evaluation_batches(split, batch_size, task.contiguous, task.length_buckets))


def check_same_data(kept: Mapping[str, Any], data: TaskData) -> None:
    """Check that a model was trained on data with a given spec.

    Entries of the spec that belong to the test split are not compared: one of the two runs may not
    score that split.

    Raises:
        RequestError: the vocabulary, the labels or another part differs.
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
