"""The contract of an architecture: its declarations, and the request that it builds from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from suite.api.cell import Cell
from suite.api.enums import Form, Inputs, Mode
from suite.api.errors import Unsupported
from suite.api.options import Options, Recipe, dtype_policy
from suite.api.task import Task

PROBE_VOCABULARY_SIZE = 8_000
"""The vocabulary size of a probe's random tokens."""
GENERATED_TOKENS = 32
"""The tokens that one call of a decoding generates after its context."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The size of a model, the same for every architecture of a comparison."""

    name: str
    num_layers: int
    width: int
    num_heads: int
    feedforward_width: int


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """The backbone that an architecture has to build.

    `options` holds the architecture's defaults with the cell's overrides. `vocabulary_size` is set
    if `inputs` are token ids. `max_global_tokens` is the largest number of global positions in an
    example.
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
    """A published sequence model: its attention or recurrence, positions and norms.

    An architecture is one file that binds an instance to `ARCHITECTURE`; the name of the file is
    its key. At the top of the file, import the standard library and `suite.api` only.
    """

    version: int
    title: str
    paper: str
    forms: frozenset[Form]
    inputs: frozenset[Inputs]
    claimed_time: str
    """The claimed time per sequence of length n: "n", "n log n" or "n^2"."""
    claimed_memory: str
    """The claimed memory per sequence of length n, in the same notation."""
    options: Options = {}
    """The options and their defaults."""
    control: bool = False
    """Whether this is a control: a reference for the other architectures."""
    probe_only: bool = False
    """Whether probes include the architecture by default, but training only if it is named."""
    relative_parameters: Mapping[Form, float] = {}
    """The non-embedding parameters relative to `vanilla`, by form, where they differ by over 10%.

    An architecture declares a form only if its paper makes a difference of 10% or less impossible.
    """
    content_dependent_layout: bool = False
    """Whether the attended positions depend on the content and length of the whole sequence.

    An example is a sequence that is sorted and split into chunks. Then adding padding changes which
    real positions attend to each other, and in causal forms later tokens change which earlier
    tokens are visible. Training may draw another layout for each call.
    """
    length_dependent_layout: bool = False
    """Whether the attended positions depend on the length of the input, padding included.

    An example is a layout with random blocks. Then adding padding changes which real positions
    attend to each other. The values at padded positions still change nothing.
    """

    own_size: bool = False
    """Whether the model has a size of its own, which replaces that of a request.

    The conformance kit then makes only the checks of passes that need no other size.
    """
    takes_padding_mask: bool = True
    """Whether a padding mask reaches the model; otherwise the checks of padding do not apply."""

    part_dependent_layout: bool = False
    """Whether the attended positions depend on the parts in which a sequence is decoded.

    An example is a memory of fixed size between segments: within its segment, a position sees more
    of the past than if it is decoded alone. Then decoding in steps equals the full pass only where
    the memory holds the whole past.
    """

    def defaults(self, given: Options) -> Options:
        """Return the options with their defaults, which may depend on the `given` ones."""
        return self.options

    def build(self, request: BuildRequest) -> Any:
        """Return the backbone for a supported request.

        Raises:
            Unsupported: the architecture does not support the request; the message states the
                reason and the received value.
        """
        if reason := supports(self, request):
            raise Unsupported(f"{self.title} {reason}.")
        return self.assemble(request)

    def import_libraries(self) -> None:  # noqa: B027 - most need Keras alone
        """Import what building needs beside Keras, before the baseline of memory is taken."""

    @abstractmethod
    def assemble(self, request: BuildRequest) -> Any:
        """Return the backbone: a `keras.layers.Layer` with the methods of its form.

        Encoder and encoder-decoder:
            `encode(inputs, padding_mask, state=None, global_mask=None, training=None)`
            → `(hidden_states, state)`. Hidden states have shape (batch, length, width). Inputs are
            (batch, length) token ids, (batch, length, patch size) patches or (batch, length,
            width) embeddings, according to the request.

        Decoder and encoder-decoder:
            `decode(target, encoder_output=None, encoder_mask=None, padding_mask=None, state=None,
            position=0, training=None)` → `(hidden_states, state)`. With a state, the target is the
            positions from `position` on.
            `init_state(batch_size, max_length)` → the state before the first position. A position
            for which the state has no place is a ValueError; in a compiled loop, which does not
            know the position, its hidden states are NaN.

        Optional:
            `project_encoder_output(encoder_output)` returns a replacement for `encoder_output` that
            many decoding steps share, such as projected keys and values: any structure of arrays,
            with `()` where a layer needs none.
            `carries_state = True` states that a decoder's state can be carried from one batch to
            the next: its shape does not change.
            `tie_embeddings()` shares one table of token ids between the embeddings, and returns it.
            Heads with a method `tie` need it, that of `pretrain` among them.
            `add_prefix(length)` puts learned vectors before the embedded input (`prompt`). Layers
            with a method `add_adapters(make_adapter)` put a built layer, (batch, n, width) in and
            out, after each of their sub-layers (`adapter`). Both change a built backbone.
        """

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why a request is unsupported, or None. This runs without any framework."""
        return None

    def claimed_costs(self, request: BuildRequest) -> tuple[str, str]:
        """Return the claimed time and the claimed memory of a request.

        Options may change them. In the encoder-decoder form, the decoder attends to the whole
        output of the encoder, in n² time. This runs without any framework, and is no part of the
        code whose costs are measured.
        """
        crosses = request.form is Form.ENCODER_DECODER
        return "n^2" if crosses else self.claimed_time, self.claimed_memory

    def missing_parts(self, request: BuildRequest) -> Collection[str]:
        """Return the values of `Part` that the model does not have, such as "heads".

        A method that needs one of them is refused before any training. This runs without any
        framework, and is no part of the code whose costs are measured. The default says that
        nothing is missing: such a method may still refuse the built model.
        """
        return ()

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the model takes no sequence beyond its training length, or None if it does.

        The default says that it extrapolates: it runs at every length that memory allows. A model
        with a weight for each position does not. This runs without any framework. The reason
        continues a sentence that begins with the title, as that of `unsupported_reason`.
        """
        return None

    def mixing_operations(self, request: BuildRequest) -> float | None:
        """Return the floating-point operations that mix positions, or None if unknown.

        The count follows the published formulas: the forward pass of all layers for one sequence of
        the request's length. Products with weights are left out, because they are counted from the
        weights: two for each weight and position. A weight that only one position uses is then
        counted too often: subtract the excess. A multiplication and an addition are two operations.
        No framework is needed.
        """
        return None

    def state_bytes(
        self, request: BuildRequest, max_length: int, value_bytes: int = 4
    ) -> int | None:
        """Return the bytes of the decoding state of one sequence, or None if unknown.

        The count follows the published formulas. It holds for a state of `max_length` positions,
        whose values have `value_bytes` bytes in the compute precision. In the encoder-decoder form,
        it includes what decoding keeps of an encoder's output of the request's length. No framework
        is needed.
        """
        return None

    def compile_with_xla(self, request: BuildRequest) -> bool:
        """Return whether XLA makes this model faster on TensorFlow's CPU backend, as measured."""
        return False


def build_request(
    cell: Cell,
    model_size: ModelSize,
    recipe: Recipe,
    task: Task | None,
    architecture: Architecture,
    spec: Mapping[str, Any] | None = None,
) -> BuildRequest:
    """Return the request of a cell to its architecture; without a task, that of a probe.

    A decoder that generates has positions for the generated tokens after its context. `spec` holds
    the vocabulary size of the data, once the data is read.
    """
    generates = cell.mode is Mode.DECODE and cell.form is Form.DECODER
    defaults = architecture.defaults(cell.options)
    own = {name: cell.options.get(name, value) for name, value in defaults.items()}
    return BuildRequest(
        form=cell.form,
        inputs=task.inputs_for(cell.options) if task else Inputs.TOKEN_IDS,
        model_size=model_size,
        sequence_length=cell.sequence_length + (GENERATED_TOKENS if generates else 0),
        options=own,
        dropout=recipe.dropout if task else 0.0,
        vocabulary_size=_vocabulary_size(task, spec or {}),
        max_global_tokens=task.max_global_tokens if task else 0,
    )


def _vocabulary_size(task: Task | None, spec: Mapping[str, Any]) -> int | None:
    if task is None:
        return PROBE_VOCABULARY_SIZE
    size = spec.get("vocabulary_size")
    return None if size is None else size + task.added_token_ids


def declared_state_bytes(
    cell: Cell, architecture: Architecture, request: BuildRequest, max_length: int
) -> int | None:
    """Return the declared bytes of a cell's decoding state for one sequence of `max_length`.

    None means that the architecture declares no size, or that the form does not decode.
    """
    if cell.form is Form.ENCODER:
        return None
    num_bytes = 4 if dtype_policy(cell.precision) == "float32" else 2
    return architecture.state_bytes(request, max_length, num_bytes)


def uses_xla(cell: Cell, architecture: Architecture, request: BuildRequest) -> bool:
    """Return whether XLA compiles a cell: the option `compile`, or else the preference."""
    mode = cell.options.get("compile", "auto")
    return architecture.compile_with_xla(request) if mode == "auto" else mode == "xla"


def supports(architecture: Architecture, request: BuildRequest) -> str | None:
    """Return why an architecture does not support a request, or None if it does."""
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
