"""The Transformer: sinusoidal positions, full attention, normalisation after each sub-layer.

Vaswani et al. 2017, "Attention Is All You Need", section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.api import Architecture, BuildRequest, Form, Inputs

if TYPE_CHECKING:
    from baselines.layers.block import Block


class Vanilla(Architecture):
    """The original Transformer; exact attention in blocks of queries at long lengths.

    Each option changes only one factor. `positions`: "none", "sinusoidal", "learned", "typed",
    "axial", "rotary", "alibi", "relative" (a learned number for each distance) or "t5" (for each of
    its buckets). `norm`: "layer" or "rms", with the `norm_placement` "after" or "before" the
    sub-layers. `feedforward`: "plain", or "gated" with two thirds of the width. `key_value_heads`
    is the number of heads with keys and values; None means all heads. `window` w: a position sees
    itself and the w − 1 before it, and as many after it in an encoder; None means no window.
    `short_convolution` k: queries, keys and values pass a depthwise convolution before rotary
    positions (So et al. 2021, "Primer", section 4), over the last k positions in a decoder and the
    k positions around each in an encoder; 0 means none. Cross-attention has none. `activation`:
    "relu", "gelu" or "gelu_tanh", of a plain feed-forward network. With `scaled_embeddings`, token
    embeddings are multiplied by √width. `embedding_norm` normalises the embeddings.

    `rotary_extension` of rotary positions: "none", "ntk" (NTK-aware scaling, whose base grows with
    the length) or "yarn" (Peng et al. 2023), by a `rotary_factor`. It acts beyond the training
    length alone, so that training is the same.
    """

    version = 2
    title = "Transformer"
    paper = "Vaswani et al. 2017, Attention Is All You Need"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n^2"
    claimed_memory = "n"
    options = {
        "positions": "sinusoidal",
        "norm": "layer",
        "norm_placement": "after",
        "feedforward": "plain",
        "key_value_heads": None,
        "window": None,
        "short_convolution": 0,
        "activation": "relu",
        "scaled_embeddings": True,
        "embedding_norm": False,
        "rotary_extension": "none",
        "rotary_factor": 4.0,
    }

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        return _block(request).problem(request)

    def claimed_costs(self, request: BuildRequest) -> tuple[str, str]:
        """Return the claimed time and memory: with a window, a decoder or an encoder is linear."""
        time, memory = super().claimed_costs(request)
        sees_all = request.options["window"] is None or request.form is Form.ENCODER_DECODER
        return time if sees_all else "n", memory

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads, if each head has numbers for distances."""
        return _block(request).missing_parts()

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the positions end at the training length, or None if they extrapolate."""
        return _block(request).fixed_length_reason()

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of attention within the window, and of the convolutions."""
        return _block(request).mixing_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of keys and values, and of the inputs of the convolutions."""
        return _block(request).state_bytes(request, max_length, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.transformer import build_transformer

        return build_transformer(request, _block(request))


def _block(request: BuildRequest) -> Block:
    from baselines.layers.block import Block

    return Block(**request.options)


ARCHITECTURE = Vanilla()
