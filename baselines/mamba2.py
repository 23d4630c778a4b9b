"""Mamba-2: state spaces in place of attention, linear in the length.

Dao and Gu 2024, "Transformers are SSMs: Generalized Models and Efficient Algorithms Through
Structured State Space Duality", section 7.
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import over_stacks
from baselines.layers.mixers.mamba2 import MIXER
from baselines.layers.state_sizes import source_bytes
from suite.api import Architecture, BuildRequest, Form, Inputs

BLOCKS_PER_LAYER = 2
"""Blocks for each layer of the model size: two have the parameters of a Transformer layer."""
EPSILON = 1e-5


class Mamba2(Architecture):
    """Blocks of x + Mixer(RMSNorm(x)) without a feed-forward network or positions.

    Each layer of the model size becomes two blocks, of which a block expands the width by
    `expansion` (the paper's 2) into equal heads of at most `head_size` channels. `state_size` is
    the number of values in a channel's state. The default 0 selects a quarter of the width: the
    model then has as many parameters as a Transformer. `short_convolution` is the kernel size of
    the convolution; 0 means none. The encoder's blocks read the sequence from its start and from
    its end in turn. In the encoder-decoder form, attention to the encoder's output follows every
    second block.
    """

    version = 1
    title = "Mamba-2"
    paper = "Dao and Gu 2024, Transformers are SSMs"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = MIXER.options

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        return MIXER.problem(request)

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: units, and heads but those of attention to an encoder."""
        return ("units",) if request.form is Form.ENCODER_DECODER else ("heads", "units")

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of convolution and scan: states, and comparisons in chunks."""
        blocks = BLOCKS_PER_LAYER * request.model_size.num_layers
        return over_stacks(request, lambda causal: blocks * MIXER.operations(request))

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the states, in float32, and of the convolutions' inputs."""
        blocks = BLOCKS_PER_LAYER * request.model_size.num_layers
        own = blocks * MIXER.state_bytes(request, max_length, value_bytes)
        return own + source_bytes(request, value_bytes)

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
        from baselines.layers.transformer_layer import TransformerLayer, TransformerStack

        size = request.model_size
        crosses = causal and request.form is Form.ENCODER_DECODER
        layers = [
            TransformerLayer(
                MIXER.layer(request, backward=not causal and index % 2 == 1),
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


ARCHITECTURE = Mamba2()
