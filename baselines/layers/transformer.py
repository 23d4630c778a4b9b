"""The original Transformer, assembled: used by `vanilla` and by its control."""

from __future__ import annotations

from typing import Any

from baselines.layers.full_attention import FullAttention
from baselines.layers.positions import sinusoids
from baselines.layers.post_norm_encoder import PostNormEncoder
from suite.contracts import BuildRequest


def build_encoder(request: BuildRequest, query_block: int | None) -> Any:
    """Assemble the encoder, with or without blocks of queries."""
    size = request.model_size
    table = sinusoids(request.sequence_length, size.width)
    return PostNormEncoder(
        request,
        make_attention=lambda: FullAttention(size.num_heads, query_block),
        add_positions=lambda embeddings: embeddings + table[: embeddings.shape[1]],
        activation="relu",
        scale_embeddings=True,
    )
