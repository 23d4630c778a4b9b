"""The assembled original Transformer, used by `vanilla` and by its control."""

from __future__ import annotations

from typing import Any

from baselines.layers.backbone import Backbone
from baselines.layers.full_attention import FullAttention
from baselines.layers.input_embedding import InputEmbedding
from baselines.layers.positions import SinusoidalPositions
from baselines.layers.transformer_layer import TransformerStack, stack_layers
from suite.api import BuildRequest, Form


def build_transformer(request: BuildRequest, block_bytes: int | None) -> Any:
    """Return the requested form, with scores in blocks of `block_bytes`, or whole if None."""
    form = request.form
    parts: dict[str, Any] = {}
    if form is not Form.DECODER:
        parts["encoder"] = _stack(request, block_bytes, causal=False, crosses=False)
        parts["encoder_embedding"] = _embedding(request)
    if form is not Form.ENCODER:
        crosses = form is Form.ENCODER_DECODER
        parts["decoder"] = _stack(request, block_bytes, causal=True, crosses=crosses)
        parts["decoder_embedding"] = _embedding(request)
    return Backbone(**parts)


def _embedding(request: BuildRequest) -> InputEmbedding:
    width = request.model_size.width
    positions = SinusoidalPositions(request.sequence_length, width)
    return InputEmbedding(request, positions, stddev=width**-0.5, scale=width**0.5)


def _stack(
    request: BuildRequest, block_bytes: int | None, *, causal: bool, crosses: bool
) -> TransformerStack:
    num_heads = request.model_size.num_heads
    return TransformerStack(
        stack_layers(
            request,
            lambda: FullAttention(num_heads, causal, block_bytes),
            activation="relu",
            make_cross_attention=(lambda: FullAttention(num_heads, block_bytes=block_bytes))
            if crosses
            else None,
        )
    )
