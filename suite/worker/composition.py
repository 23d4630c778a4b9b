"""The methods of a cell, composed in the order of their stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from suite.api import (
    BuildRequest,
    Cell,
    Examples,
    Method,
    MethodContext,
    Recipe,
    Task,
    TaskData,
    method_options,
    overrides,
)
from suite.api.plugins import METHODS, find_plugin
from suite.worker.data.batches import Batch

Applied = Sequence[tuple[Method, Mapping[str, Any]]]
"""The methods of a cell with their options."""


def find_methods(cell: Cell, search_path: Sequence[str]) -> Applied:
    """Return the methods of a cell with all of their options.

    Raises:
        RequestError: a method is unknown.
        PluginError: the file of a method cannot be used.
    """
    plugins = [find_plugin(METHODS, applied.name, search_path) for applied in cell.methods]
    return [
        (method, method_options(method, applied))
        for method, applied in zip(plugins, cell.methods, strict=True)
    ]


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
        if not self._implementing("update_loss"):
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
        changing = self._implementing("after_step")
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
        if not self._implementing("candidates"):
            return None
        candidates = [model.get_weights()]
        for method, context in self.methods:
            candidates = method.candidates(candidates, model, optimizer, step, total_steps, context)
        return candidates

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
        return bool(self._implementing("compress"))

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
        return bool(self._implementing("attacks"))

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

    def _implementing(self, hook: str) -> list[tuple[Method, MethodContext]]:
        return [composed for composed in self.methods if overrides(composed[0], hook)]


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
