"""The original Transformer, assembled: used by `vanilla` and by its control."""

from __future__ import annotations

from typing import Any

from baselines.layers.backbone import Backbone
from baselines.layers.full_attention import FullAttention
from baselines.layers.input_embedding import InputEmbedding
from baselines.layers.positions import SinusoidalPositions
from baselines.layers.transformer_layer import TransformerLayer, TransformerStack
from suite.contracts import BuildRequest, Form


def build_transformer(request: BuildRequest, query_block: int | None) -> Any:
    """Assemble the form asked for, with or without blocks of queries."""
    form = request.form
    parts: dict[str, Any] = {}
    if form is not Form.DECODER:
        parts["encoder"] = _stack(request, query_block, causal=False, crosses=False)
        parts["encoder_embedding"] = _embedding(request)
    if form is not Form.ENCODER:
        crosses = form is Form.ENCODER_DECODER
        parts["decoder"] = _stack(request, query_block, causal=True, crosses=crosses)
        parts["decoder_embedding"] = _embedding(request)
    return Backbone(**parts)


def _embedding(request: BuildRequest) -> InputEmbedding:
    width = request.model_size.width
    positions = SinusoidalPositions(request.sequence_length, width)
    return InputEmbedding(request, positions, stddev=width**-0.5, scale=width**0.5)


def _stack(
    request: BuildRequest, query_block: int | None, *, causal: bool, crosses: bool
) -> TransformerStack:
    size = request.model_size
    return TransformerStack(
        [
            TransformerLayer(
                FullAttention(size.num_heads, query_block, causal),
                size.feedforward_width,
                activation="relu",
                dropout=request.dropout,
                cross_attention=FullAttention(size.num_heads, query_block) if crosses else None,
            )
            for _ in range(size.num_layers)
        ]
    )
