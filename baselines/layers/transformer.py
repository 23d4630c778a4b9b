"""The Transformer with any mixer of positions, used by `vanilla` and by the controls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from baselines.layers.attention_blocks import BLOCK_BYTES
from baselines.layers.backbone import Backbone
from baselines.layers.full_attention import FullAttention
from baselines.layers.input_embedding import InputEmbedding
from baselines.layers.positions import NoPositions, SinusoidalPositions
from baselines.layers.transformer_layer import TransformerStack, stack_layers
from suite.api import BuildRequest, Form

MakeMixer = Callable[[int, bool], Any]
"""Returns the mixer of a layer, given its index and whether it is causal, or None."""


def build_transformer(request: BuildRequest, block_bytes: int | None) -> Any:
    """Return the requested form, with scores in blocks of `block_bytes`, or whole if None."""
    num_heads, width = request.model_size.num_heads, request.model_size.feedforward_width
    return build_with_mixer(
        request,
        lambda index, causal: FullAttention(num_heads, causal, block_bytes),
        lambda causal: width,
        block_bytes=block_bytes,
    )


def build_with_mixer(
    request: BuildRequest,
    make_mixer: MakeMixer,
    feedforward_width: Callable[[bool], int],
    *,
    adds_positions: bool = True,
    block_bytes: int | None = BLOCK_BYTES,
    carries_state: bool = False,
) -> Any:
    """Return the original Transformer's requested form with another mixer for self-attention.

    `feedforward_width(causal)` is the width in the encoder's and in the decoder's layers. The
    decoder of the encoder-decoder form keeps full attention to the encoder's output.
    """
    form = request.form
    parts: dict[str, Any] = {"carries_state": carries_state}

    def stack(causal: bool) -> TransformerStack:
        num_heads = request.model_size.num_heads
        crosses = causal and form is Form.ENCODER_DECODER
        mixers = (make_mixer(index, causal) for index in range(request.model_size.num_layers))
        return TransformerStack(
            stack_layers(
                request,
                lambda: next(mixers),
                activation="relu",
                feedforward_width=feedforward_width(causal),
                make_cross_attention=(lambda: FullAttention(num_heads, block_bytes=block_bytes))
                if crosses
                else None,
            )
        )

    if form is not Form.DECODER:
        parts["encoder"] = stack(causal=False)
        parts["encoder_embedding"] = _embedding(request, adds_positions)
    if form is not Form.ENCODER:
        parts["decoder"] = stack(causal=True)
        parts["decoder_embedding"] = _embedding(request, adds_positions)
    return Backbone(**parts)


def _embedding(request: BuildRequest, adds_positions: bool) -> InputEmbedding:
    width = request.model_size.width
    positions = NoPositions()
    if adds_positions:
        positions = SinusoidalPositions(request.sequence_length)
    return InputEmbedding.of_request(request, positions, scale=width**0.5)
