"""Mamba-2: state spaces in place of attention, linear in the length.

Dao and Gu 2024, "Transformers are SSMs: Generalized Models and Efficient Algorithms Through
Structured State Space Duality".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

BLOCKS_PER_LAYER = 2
"""Blocks for each layer of the model size: two have the parameters of a Transformer layer."""
EPSILON = 1e-5


class Mamba2(Architecture):
    """Blocks of x + Mixer(RMSNorm(x)) without a feed-forward network or positions.

    Each layer of the model size becomes two blocks, of which a block expands the width by
    `expansion` (the paper's 2) into equal heads of at most `head_size` channels. `state_size` is
    the number of values in a channel's state. The default 0 selects a quarter of the width: the
    model then has as many parameters as a Transformer.
    `kernel_size` is that of the convolution. The encoder's blocks read the sequence from its start
    and from its end in turn. In the encoder-decoder form, attention to the encoder's output follows
    every second block.
    """

    version = 1
    title = "Mamba-2"
    paper = "Dao and Gu 2024, Transformers are SSMs"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"expansion": 2, "head_size": 64, "state_size": 0, "kernel_size": 4}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        options = request.options
        if options["expansion"] < 1 or options["kernel_size"] < 1 or options["head_size"] < 1:
            return f"needs sizes of at least 1; received: {dict(options)}"
        if options["state_size"] < 0:
            return f"needs a state of at least 0 numbers; received: {options['state_size']}"
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return that neither heads nor feed-forward units can be removed."""
        return ("heads", "units")

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of convolution and scan: states, and comparisons in chunks."""
        from baselines.layers.flops import CHUNK_LENGTH, over_stacks

        length, size = request.sequence_length, request.model_size
        inner, state = _inner_width(request), _state_size(request)
        chunk = min(CHUNK_LENGTH, length)
        convolution = 2.0 * request.options["kernel_size"] * (inner + 2 * state) * length
        states = 4.0 * state * inner * length
        comparisons = 2.0 * (state + inner) * length * (chunk + 1) / 2
        blocks = BLOCKS_PER_LAYER * size.num_layers
        return over_stacks(request, lambda causal: blocks * (convolution + states + comparisons))

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the states, in float32, and of the convolutions' inputs."""
        from baselines.layers.state_sizes import FLOAT32_BYTES, source_bytes

        inner, state = _inner_width(request), _state_size(request)
        inputs = (int(request.options["kernel_size"]) - 1) * (inner + 2 * state) * value_bytes
        blocks = BLOCKS_PER_LAYER * request.model_size.num_layers
        return blocks * (inputs + state * inner * FLOAT32_BYTES) + source_bytes(
            request, value_bytes
        )

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.backbone import Backbone
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import NoPositions

        form, parts = request.form, {}
        if form is not Form.DECODER:
            parts["encoder"] = self._stack(request, causal=False)
            parts["encoder_embedding"] = InputEmbedding.of_request(request, NoPositions())
        if form is not Form.ENCODER:
            parts["decoder"] = self._stack(request, causal=True)
            parts["decoder_embedding"] = InputEmbedding.of_request(request, NoPositions())
        return Backbone(**parts, carries_state=True)

    def _stack(self, request: BuildRequest, causal: bool) -> Any:
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.state_space import StateSpaceMixer
        from baselines.layers.transformer_layer import TransformerLayer, TransformerStack

        size, head_size = request.model_size, _head_size(request)
        crosses = causal and request.form is Form.ENCODER_DECODER
        layers = [
            TransformerLayer(
                StateSpaceMixer(
                    _inner_width(request) // head_size,
                    head_size,
                    _state_size(request),
                    kernel_size=request.options["kernel_size"],
                    backward=not causal and index % 2 == 1,
                ),
                None,
                dropout=request.dropout,
                norm_placement="before",
                norm="rms",
                epsilon=EPSILON,
                cross_attention=FullAttention(size.num_heads) if crosses and index % 2 else None,
            )
            for index in range(BLOCKS_PER_LAYER * size.num_layers)
        ]
        return TransformerStack(layers, final_epsilon=EPSILON, norm="rms")


def _inner_width(request: BuildRequest) -> int:
    return int(request.options["expansion"]) * request.model_size.width


def _head_size(request: BuildRequest) -> int:
    inner, largest = _inner_width(request), int(request.options["head_size"])
    return next(size for size in range(min(largest, inner), 0, -1) if inner % size == 0)


def _state_size(request: BuildRequest) -> int:
    return int(request.options["state_size"]) or max(1, request.model_size.width // 4)


ARCHITECTURE = Mamba2()
