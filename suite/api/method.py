"""The contract of a method: a change of training, compression or evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from suite.api.data import Examples, TaskData
from suite.api.errors import PluginError
from suite.api.options import Options

if TYPE_CHECKING:
    from suite.api.architecture import BuildRequest
    from suite.api.cell import Cell
    from suite.api.recipe import Recipe
    from suite.api.task import Task

TRAINED = "trained"
"""The role of the parent of a cell that compresses or disturbs: the same cell without doing so."""


class Stage(StrEnum):
    """The stage of a cell in which a method acts; methods are applied in the order of stages.

    `prepare` sets initial weights, `train` changes training, `compress` changes the trained model,
    `evaluate` scores disturbed examples.
    """

    PREPARE = "prepare"
    TRAIN = "train"
    COMPRESS = "compress"
    EVALUATE = "evaluate"

    @property
    def trains(self) -> bool:
        """Whether methods of this stage need a training of their own."""
        return self in (Stage.PREPARE, Stage.TRAIN)


@dataclass(frozen=True, slots=True)
class AppliedMethod:
    """A method of a cell, with the options that differ from the method's defaults."""

    name: str
    version: int
    options: Options = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The method as the command line takes it, such as "lora:rank=8"."""
        options = ",".join(f"{name}={value}" for name, value in sorted(self.options.items()))
        return f"{self.name}:{options}" if options else self.name


@dataclass(frozen=True, slots=True)
class MethodRequest:
    """What a method knows at plan time: the cell, its own options, the task and the backbone.

    `options` holds the method's defaults with the cell's overrides. `build` is the request that the
    architecture gets. No framework is loaded.
    """

    cell: Cell
    options: Options
    task: Task
    build: BuildRequest


@dataclass(frozen=True, slots=True)
class MethodContext(MethodRequest):
    """What a method knows in the worker.

    `parents` maps each role that `needs` names to the trained model, built when it is called: it
    has `embedding`, `backbone` and `head`, and its call takes a batch's features. `spec` is that of
    the task's data.
    """

    recipe: Recipe
    spec: Mapping[str, Any]
    parents: Mapping[str, Callable[[], Any]]


class Method:
    """A change of training, compression or evaluation that is independent of task and architecture.

    A method is one file of `suite/methods`, or of the folder `methods` of a folder of BENCH_PATH.
    The name of the file is its key, and the module binds an instance to `METHOD`. Top-level imports
    are limited to the standard library and `suite.api`; the hooks import frameworks where they use
    them. Each hook changes nothing by default. With neutral options, a method changes nothing.
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

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why a cell cannot use the method, or None; the reason continues the title."""
        return None

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
        """Return the data; only the training split may change."""
        return data

    def batches(self, batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
        """Return the training batches; each has `features` and `targets` by name, as NumPy arrays.

        Random numbers come from a generator with the cell's seed.
        """
        return batches

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model with another structure, without setting its weights.

        The model is built: its weights exist. Every hook that adds weights draws them here.
        `model.add_training_state` adds those that only training reads. With
        `model.exposes_hidden_states` set, the loss finds the hidden states of the positions in
        `features["hidden_states"]`.
        """
        return model

    def initialize(self, model: Any, context: MethodContext) -> None:
        """Set initial weights from the parents, before the first update."""

    def optimizer(self, optimizer: Any, total_steps: int, context: MethodContext) -> Any:
        """Return the optimizer of the training."""
        return optimizer

    def loss(self, loss: Callable[..., Any], context: MethodContext) -> Callable[..., Any]:
        """Return the loss, a function of (outputs, targets, features) in `keras.ops`."""
        return loss

    def after_step(self, model: Any, step: int, total_steps: int, context: MethodContext) -> None:
        """Change the model after an update; `step` counts from 1."""

    def selectable(self, step: int, total_steps: int, context: MethodContext) -> bool:
        """Return whether validation may select the weights after an update to be scored.

        `step` counts from 1. The weights after the last update are always among the candidates.
        """
        return True

    def compress(self, model: Any, context: MethodContext) -> Any:
        """Return the trained model in its compressed form."""
        return model

    def conditions(
        self, model: Any, examples: Examples, context: MethodContext
    ) -> Iterator[tuple[str, Examples]]:
        """Yield names and disturbed copies of a split's examples, which are scored too."""
        yield from ()

    def facts(self, model: Any, context: MethodContext) -> Mapping[str, Any]:
        """Return facts on the trained model for the record, such as the share of trained weights.

        Each name carries its unit.
        """
        return {}

    def __init_subclass__(cls) -> None:
        """Check that the options have JSON values.

        Raises:
            PluginError: an option's default is a value that a record cannot hold.
        """
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
    return {**method.options, **applied.options}


def methods_text(methods: tuple[AppliedMethod, ...]) -> str:
    """Return methods as the command line takes them, separated by spaces."""
    return " ".join(method.text for method in methods)
