"""Attention with normalised queries and keys, and with gates for its outputs.

Henry et al. 2020, "Query-Key Normalization for Transformers"; Qiu et al. 2025, "Gated Attention for
Large Language Models"; Qwen team 2025 (Qwen3-Next); Ai2 2025 (OLMo 2 and OLMo hybrid).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.elementwise import RMSNorm
from baselines.layers.full_attention import FullAttention, split_heads
from baselines.layers.layer import build_once
from baselines.layers.removal import columns_of_heads, keep_columns

QUERY_KEY_NORMS = ("none", "head", "width")


class GatedAttention(FullAttention):
    """`FullAttention` of a sequence to itself, with norms of queries and keys, and with gates.

    With `query_key_norm` "head", queries and keys pass an RMS norm over the channels of each head,
    whose weights all heads share (Qwen3). With "width" they pass one over the channels of all heads
    together (OLMo 2). Rotary positions follow. With `gated`, the output of the heads is multiplied
    by sigmoid(x W^G) before the output projection (Qiu et al. 2025). `epsilon` is that of the
    norms. The other arguments, shapes and costs are those of `FullAttention`.

    Raises:
        ValueError: the norm is unknown.

    Example:
        >>> layer = GatedAttention(num_heads=4, gated=True, query_key_norm="head")
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        causal: bool = False,
        *,
        gated: bool = False,
        query_key_norm: str = "none",
        epsilon: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, causal, **kwargs)
        if query_key_norm not in QUERY_KEY_NORMS:
            raise ValueError(
                f"The query_key_norm is {', '.join(QUERY_KEY_NORMS)}. "
                f"Received: query_key_norm={query_key_norm!r}. Choose one."
            )
        self.gated = gated
        self.query_key_norm = query_key_norm
        self.epsilon = epsilon
        self.gate = self.query_norm = self.key_norm = None
        if query_key_norm != "none":
            self.query_norm, self.key_norm = (
                RMSNorm(epsilon=epsilon, name=name, dtype=self.dtype_policy)
                for name in ("query_norm", "key_norm")
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections and norms."""
        super().build(input_shape)
        if self.gated:
            self._add_projection("gate", self.query.units, input_shape, 1)
        for norm, projection, num_heads in (
            (self.query_norm, self.query, self.num_heads),
            (self.key_norm, self.key, self.num_key_value_heads),
        ):
            by_head = self.query_key_norm == "head"
            build_once(norm, (None, projection.units // (num_heads if by_head else 1)))

    @property
    def num_removable_heads(self) -> int:
        """The number of key/value heads; 0 where one norm has weights for all heads."""
        return 0 if self.query_key_norm == "width" else super().num_removable_heads

    def remove_heads(self, heads: Sequence[int]) -> None:
        """Remove key/value heads, each with its query heads and their gates, for good."""
        if self.gate is not None:
            kept = np.setdiff1d(np.arange(self.num_key_value_heads), heads)
            size = self.query.units // self.num_key_value_heads
            keep_columns(self.gate, columns_of_heads(kept, size))
        super().remove_heads(heads)

    def _query_heads(self, query: Any) -> Any:
        return self._normed(query, self.num_heads, self.query_norm)

    def _key_heads(self, key: Any) -> Any:
        return self._normed(key, self.num_key_value_heads, self.key_norm)

    def _normed(self, projected: Any, num_heads: int, norm: Any) -> Any:
        """Return queries or keys by head, normalised."""
        if self.query_key_norm == "width":
            projected = norm(projected)
        heads = split_heads(projected, num_heads)
        return norm(heads) if self.query_key_norm == "head" else heads

    def _finish(self, merged: Any, hidden_states: Any) -> Any:
        if self.gate is not None:
            merged = merged * ops.sigmoid(self.gate(hidden_states))
        return super()._finish(merged, hidden_states)
