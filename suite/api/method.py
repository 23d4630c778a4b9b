"""The contract of a method: a change of training, compression or evaluation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.api.architecture import BuildRequest
from suite.api.cell import AppliedMethod, Cell, Stage, local_paths
from suite.api.data import Examples, TaskData
from suite.api.enums import Part
from suite.api.errors import PluginError
from suite.api.options import Options, Recipe
from suite.api.task import Task

TRAINED = "trained"
"""The role of the parent of a cell that compresses or disturbs: the same cell without doing so."""
PERTURBATION = "perturbation"
"""The name of a feature that is added to the embedded inputs: (batch, n, width).

Its unit is the standard deviation of the embedded inputs of each example."""


@dataclass(frozen=True, slots=True)
class MethodRequest:
    """The facts that a method gets at plan time: cell, own options, task and backbone.

    `task` is None in a probe: a probe has only methods that change the model alone, and these do
    not read the task. `options` holds the method's defaults with the cell's overrides.
    `build` is the request that the architecture gets. No framework is loaded.
    """

    cell: Cell
    options: Options
    task: Task
    build: BuildRequest


@dataclass(frozen=True, slots=True)
class MethodContext(MethodRequest):
    """The facts that a method gets in the worker.

    `parents` maps each role that `needs` names to the trained model, built at each call: it has
    `embedding`, `backbone` and `head`, and its call takes a batch's features. `spec` is that of the
    task's data. `state` holds lists of arrays by name, which the method may set and read in any
    hook: a training that resumes has those of its checkpoint.
    """

    recipe: Recipe
    spec: Mapping[str, Any]
    parents: Mapping[str, Callable[[], Any]]
    state: dict[str, list[Any]] = field(default_factory=dict)


class Method:
    """A change of training, compression or evaluation that is independent of task and architecture.

    A method is one file of `suite/methods`, or of the folder `methods` of a folder of BENCH_PATH.
    The name of the file is its key, and the module binds an instance to `METHOD`. Top-level imports
    are limited to the standard library, `suite.api` and helpers that import no more; the hooks
    import frameworks where they use them. Each hook changes nothing by default. With neutral
    options, a method changes nothing.
    """

    version: int
    title: str
    summary: str
    paper: str
    stage: Stage
    options: Options = {}
    """The options and their defaults."""

    def check(self, options: Options) -> None:
        """Check the values of all options.

        Raises:
            RequestError: a value is invalid.
        """

    def derived_options(self, options: Options) -> Options:
        """Return options that depend on others, such as the digest of a file that one names.

        They belong to the cell, which thus runs again if the file changes. An option that is a path
        of this machine belongs to the cell by its last name alone.
        """
        return {}

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why a cell cannot use the method, or None; messages put it after the title."""
        return None

    def parts(self, request: MethodRequest) -> Collection[Part]:
        """Return the parts of a backbone that the method changes or reads.

        A cell whose architecture declares that one is missing is refused before anything runs.
        """
        return ()

    def needs(self, cell: Cell, options: Options) -> Mapping[str, Cell]:
        """Return the cells whose trained models the method takes, by their role.

        The plan adds these cells, trains each once, and keeps its weights. It sets the version of
        the architecture and leaves out the options that this architecture does not have. A method
        that compresses or evaluates needs no entry for the trained model itself.
        """
        return {}

    def task(self, task: Task, options: Options) -> Task:
        """Return the task to train: another objective on the same data, or the task itself.

        This runs without any framework.
        """
        return task

    def data(self, data: TaskData, context: MethodContext) -> TaskData:
        """Return the data, with the same `spec`; only the training split may change.

        A method with another objective also changes the validation split, whose targets it scores.
        """
        return data

    def batches(self, batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
        """Return the training batches; each has `features` and `targets` by name, as NumPy arrays.

        A batch is a dataclass: `dataclasses.replace` changes it, `num_tokens` (of `count_real`)
        included. Random numbers come from a generator with the cell's seed.
        """
        return batches

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model with another structure, without setting its weights.

        The model is built: its weights exist. Every hook that adds weights draws them here. Weights
        that are not to be trained are given to `model.freeze`. `model.add_training_state` adds
        those that only training reads. With `model.exposes_hidden_states` set, the loss finds the
        hidden states of the positions in `features["hidden_states"]`.

        Raises:
            Unsupported: the model has no parts that the method changes.
        """
        return model

    def initialize(self, model: Any, context: MethodContext) -> None:
        """Set initial weights from the parents, before the first update.

        The structure of the model is that of this method's `model` hook: the hooks of the methods
        after it follow.
        """

    def optimizer(
        self, optimizer: Any, model: Any, total_steps: int, context: MethodContext
    ) -> Any:
        """Return the optimizer of the training, which is not built yet.

        It is a `keras.optimizers.LossScaleOptimizer` around another if gradients are float16.
        """
        return optimizer

    def loss(self, loss: Callable[..., Any], context: MethodContext) -> Callable[..., Any]:
        """Return the loss, a function of (outputs, targets, features) in `keras.ops`."""
        return loss

    def update_loss(
        self,
        compute: Callable[..., Any],
        differentiate: Callable[..., Any],
        context: MethodContext,
    ) -> Callable[..., Any]:
        """Return what an update minimizes, a function of (features, targets) in `keras.ops`.

        `compute(features, targets)` calls the model and returns the loss. `differentiate` does the
        same, and returns the loss and its gradient with respect to `features["perturbation"]` at 0.
        """
        return compute

    def after_step(self, model: Any, step: int, total_steps: int, context: MethodContext) -> None:
        """Change the model after an update; `step` counts from 1."""

    def candidates(
        self,
        candidates: list[list[Any]],
        model: Any,
        optimizer: Any,
        step: int,
        total_steps: int,
        context: MethodContext,
    ) -> list[list[Any]]:
        """Return the sets of weights that validation scores after a step, and keeps if best.

        Each set is as `model.get_weights()` returns it. `candidates` holds those of the model
        first. Validation after each step of `Recipe.validations` has one figure: that of the first
        set, or of the model's own weights if no set may be kept. The last such step is
        `total_steps`, and keeps one. Training continues with the model's own weights.
        """
        return candidates

    def compress(self, model: Any, context: MethodContext) -> Any:
        """Return the trained model in its compressed form."""
        return model

    def conditions(
        self, model: Any, examples: Examples, context: MethodContext
    ) -> Iterator[tuple[str, Examples]]:
        """Yield names and disturbed copies of a split's examples, which are scored too.

        A name is that of the disturbance with its strength, a number: "typos=0.05".
        """
        yield from ()

    def attacks(
        self, gradient: Callable[..., Any], context: MethodContext
    ) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Yield names and functions that disturb a batch with the gradient of its loss.

        The names are like those of `conditions`.
        Such a function takes the features and targets of a batch by name, as NumPy arrays, and
        returns the features to score. `gradient(features, targets)` is that of the loss with
        respect to `features["perturbation"]` at 0, as a NumPy array.
        """
        yield from ()

    def facts(self, model: Any, context: MethodContext) -> Mapping[str, Any]:
        """Return facts on the trained model for the record, such as the share of trained weights.

        Each name carries its unit.
        """
        return {}

    def __init_subclass__(cls) -> None:
        """Raise a PluginError if an option has a default that a record cannot hold."""
        super().__init_subclass__()
        for name, value in cls.options.items():
            if not isinstance(value, bool | int | float | str | list | None):
                raise PluginError(
                    f"The option '{name}' of {cls.__name__} must have a JSON value",
                    received=type(value).__name__,
                    remedy="Use a number, a text, true or false, or a list of them",
                )


def method_options(method: Method, applied: AppliedMethod) -> dict[str, Any]:
    """Return a method's options: its defaults, overridden by those of a cell."""
    return {**method.options, **applied.options, **local_paths(applied.options)}


def training_methods(methods: tuple[AppliedMethod, ...]) -> tuple[AppliedMethod, ...]:
    """Return the methods that need a training of their own, which come first."""
    return tuple(method for method in methods if method.stage.trains)


def overrides(method: Method, hook: str) -> bool:
    """Return whether a method implements a hook."""
    return getattr(type(method), hook) is not getattr(Method, hook)


ON_MODEL = ("model", "optimizer", "compress")
"""The hooks that change the model or its optimizer alone."""
BEYOND_MODEL = (
    *("needs", "task", "data", "batches", "initialize", "loss", "update_loss", "after_step"),
    *("conditions", "attacks"),
)
"""The hooks that need data, other models or a training."""


def changes_model_alone(method: Method) -> bool:
    """Return whether a method changes the model or its optimizer alone.

    A probe, which has random tokens, then measures all that the method costs.
    """
    changes_model = any(overrides(method, hook) for hook in ON_MODEL)
    return changes_model and not any(overrides(method, hook) for hook in BEYOND_MODEL)


def has_own_weights(methods: tuple[AppliedMethod, ...]) -> bool:
    """Return whether a cell with these methods trains or compresses a model.

    A cell that only evaluates has the weights of its parent.
    """
    stages = {method.stage for method in methods}
    return Stage.COMPRESS in stages or Stage.EVALUATE not in stages


def methods_text(methods: Sequence[AppliedMethod]) -> str:
    """Return methods as the command line takes them, separated by spaces."""
    return " ".join(method.text for method in methods)
