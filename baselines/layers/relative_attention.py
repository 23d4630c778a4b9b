"""Attention by content and by distance, over a segment and what is remembered of earlier ones.

Dai et al. 2019, "Transformer-XL: Attentive Language Models beyond a Fixed-Length Context",
sections 3.2 and 3.3, appendix B.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.full_attention import (
    MASKED,
    check_heads,
    mask_to_bias,
    merge_heads,
    split_heads,
)


def distance_embeddings(distances: np.ndarray, width: int) -> np.ndarray:
    """Return R: a row for each signed distance, its sines first, then its cosines."""
    frequency = 10_000.0 ** (-np.arange(0, width, 2) / width)
    angle = distances[:, None] * frequency[None, :]
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1).astype("float32")


def shift_by_row(scores: Any) -> Any:
    """Move row i of (…, n, l) to the left by n − 1 − i, so that distances stand under their keys.

    What moves in at the right is not meant: the caller has enough columns, or masks them.
    """
    rows, columns = scores.shape[-2:]
    heads = scores.shape[1]
    padded = ops.pad(scores, ((0, 0), (0, 0), (0, 0), (1, 0)))
    turned = ops.reshape(padded, (-1, heads, columns + 1, rows))[:, :, 1:]
    return ops.reshape(turned, (-1, heads, rows, columns))


class RelativeAttention(keras.layers.Layer):
    """Multi-head attention whose scores add content and distance (section 3.3, equation of A^rel).

    `query`, `key`, `value` are W_q, W_{k,E}, W_v; `distance` is W_{k,R}; `content_bias` and
    `position_bias` are u and v, given by the caller because all layers share them. The n queries
    are the segment, the m + n keys the memory and the segment. Where `causal`, a position sees
    itself and what is before it; otherwise the segment's later ones too, at negative distances.

    In: hidden states (batch, n, width), biases (heads, head size), memory (batch, m, width), masks
    of both, True where real. Out: (batch, n, width). Time and memory O(n·(m + n)).

    Raises:
        ValueError: the width does not divide into the heads.
    """

    def __init__(self, num_heads: int, causal: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.causal = causal

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the five projections, none with a bias."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        for name in ("query", "key", "value", "distance", "output_projection"):
            projection = keras.layers.Dense(width, use_bias=False, name=name)
            projection.build(input_shape)
            setattr(self, name, projection)

    def call(
        self,
        hidden_states: Any,
        content_bias: Any,
        position_bias: Any,
        padding_mask: Any = None,
        memory: Any = None,
        memory_mask: Any = None,
    ) -> Any:
        """Attend."""
        length, width = hidden_states.shape[1:]
        attended, visible = hidden_states, padding_mask
        if memory is not None:
            attended = ops.concatenate([memory, hidden_states], axis=1)
            if padding_mask is not None:
                visible = ops.concatenate([memory_mask, padding_mask], axis=1)
        num_keys = attended.shape[1]
        last = 0 if self.causal else -(length - 1)
        distances = distance_embeddings(np.arange(num_keys - 1, last - 1, -1), width)
        query = split_heads(self.query(hidden_states), self.num_heads)
        key = split_heads(self.key(attended), self.num_heads)
        value = split_heads(self.value(attended), self.num_heads)
        distance = split_heads(self.distance(distances[None]), self.num_heads)
        by_content = ops.matmul(query + content_bias[None, :, None], ops.swapaxes(key, -1, -2))
        by_position = ops.matmul(
            query + position_bias[None, :, None], ops.swapaxes(distance, -1, -2)
        )
        scores = by_content + shift_by_row(by_position)[..., :num_keys]
        scores = scores * (width // self.num_heads) ** -0.5 + self._bias(visible, length, num_keys)
        return self.output_projection(merge_heads(ops.matmul(ops.softmax(scores), value)))

    def _bias(self, visible: Any, length: int, num_keys: int) -> Any:
        bias = 0.0
        if visible is not None:
            bias = mask_to_bias(visible, self.compute_dtype)[:, None, None, :]
        if self.causal:
            place = np.arange(length)[:, None] + num_keys - length
            later = np.arange(num_keys)[None, :] > place
            bias = bias + ops.cast(np.where(later, MASKED, 0.0), self.compute_dtype)
        return bias

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "num_heads": self.num_heads, "causal": self.causal}
