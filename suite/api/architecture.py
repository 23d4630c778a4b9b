"""The contract of an architecture: what it is asked to build, and what it declares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from suite.api.cell import Cell
from suite.api.enums import Form, Inputs
from suite.api.errors import Unsupported
from suite.api.options import Options
from suite.api.task import Recipe, Task

PROBE_VOCABULARY_SIZE = 8_000
"""How many different token ids a probe draws from."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A model's shape, the same for every architecture of a comparison."""

    name: str
    num_layers: int
    width: int
    num_heads: int
    feedforward_width: int


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What an architecture is asked to build.

    `options` hold the architecture's own defaults with the cell's overrides applied.
    `vocabulary_size` is set where `inputs` are token ids; `max_global_tokens` bounds how many
    positions of an example may be global.
    """

    form: Form
    inputs: Inputs
    model_size: ModelSize
    sequence_length: int
    options: Options
    dropout: float = 0.0
    vocabulary_size: int | None = None
    max_global_tokens: int = 0


class Architecture(ABC):
    """A published model: how it mixes a sequence, its positions, its norms.

    An architecture is one file whose name is its key and which binds an instance to
    `ARCHITECTURE`. At its top it imports the standard library and `suite.api` only.
    """

    version: int
    title: str
    paper: str
    forms: frozenset[Form]
    inputs: frozenset[Inputs]
    claimed_time: str
    """Its cost per sequence in its length n, as it claims it: "n", "n log n", "n^2"."""
    claimed_memory: str
    options: Options = {}
    """The options it takes and their defaults."""
    control: bool = False
    """A measuring control joins probes, and trains only when it is named."""
    content_dependent_layout: bool = False
    """Whether what a position sees hangs on all others' content and the length, as where a sequence
    is sorted and cut in chunks: then adding padding moves what real positions see, and in causal
    forms later tokens move which earlier ones are seen."""

    def build(self, request: BuildRequest) -> Any:
        """Build the backbone, after asking whether the architecture can.

        Raises:
            Unsupported: it cannot do what was asked; the message says why, and what was received.
        """
        if reason := supports(self, request):
            raise Unsupported(f"{self.title} {reason}.")
        return self.assemble(request)

    @abstractmethod
    def assemble(self, request: BuildRequest) -> Any:
        """Put the backbone together: a `keras.layers.Layer` with the method

        `encode(inputs, padding_mask, state=None, global_mask=None, training=None)`
        → `(hidden_states, state)`, hidden states of shape (batch, length, width). Inputs are
        (batch, length) token ids or (batch, length, width) embeddings, as the request says.
        """

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Say, before anything runs and without any framework, why a cell cannot be, or None."""
        return None

    def mixing_operations(self, request: BuildRequest) -> float | None:
        """Count the floating-point operations that mix positions, by the published formulas.

        Of all layers, for one sequence of the request's length, forward, beyond the products with
        weights, which are counted from the weights themselves; a multiplication and an addition
        are two. No framework is needed. None (the default) where nobody has worked it out.
        """
        return None

    def compile_with_xla(self, request: BuildRequest) -> bool:
        """Whether XLA makes this model faster on TensorFlow's CPU backend, as measured."""
        return False


def build_request(
    cell: Cell,
    model_size: ModelSize,
    recipe: Recipe,
    task: Task | None,
    architecture: Architecture,
    spec: Mapping[str, Any] | None = None,
) -> BuildRequest:
    """Return what a cell asks of its architecture; without a task, what a probe does.

    `spec` is what the data says of the vocabulary, once it is read.
    """
    own = {name: cell.options.get(name, value) for name, value in architecture.options.items()}
    return BuildRequest(
        form=cell.form,
        inputs=task.inputs_for(cell.options) if task else Inputs.TOKEN_IDS,
        model_size=model_size,
        sequence_length=cell.sequence_length,
        options=own,
        dropout=recipe.dropout if task else 0.0,
        vocabulary_size=(spec or {}).get("vocabulary_size") if task else PROBE_VOCABULARY_SIZE,
        max_global_tokens=task.max_global_tokens if task else 0,
    )


def uses_xla(cell: Cell, architecture: Architecture, request: BuildRequest) -> bool:
    """Whether XLA compiles a cell on TensorFlow: as asked, or as the architecture prefers."""
    mode = cell.options.get("compile", "auto")
    return architecture.compile_with_xla(request) if mode == "auto" else mode == "xla"


def supports(architecture: Architecture, request: BuildRequest) -> str | None:
    """Say why an architecture cannot build what is requested, or None where it can."""
    if request.form not in architecture.forms:
        have = ", ".join(sorted(architecture.forms))
        return f"has no {request.form} form; it has: {have}"
    if request.inputs not in architecture.inputs:
        have = ", ".join(sorted(architecture.inputs))
        return f"does not take {request.inputs}; it takes: {have}"
    size = request.model_size
    if size.width % size.num_heads:
        return (
            "needs a width that is a multiple of its heads; "
            f"received: width={size.width}, num_heads={size.num_heads}"
        )
    return architecture.unsupported_reason(request)
