"""Full attention: every position looks at every other.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

MASKED = -1e9
"""Added to the score of a key that may not be seen."""


def split_heads(projected: Any, num_heads: int) -> Any:
    """Reshape (batch, length, width) to (batch, heads, length, head size)."""
    _batch, length, width = projected.shape
    heads = ops.reshape(projected, (-1, length, num_heads, width // num_heads))
    return ops.transpose(heads, (0, 2, 1, 3))


def merge_heads(heads: Any) -> Any:
    """Reshape (batch, heads, length, head size) to (batch, length, width)."""
    _, num_heads, length, head_size = heads.shape
    return ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), (-1, length, num_heads * head_size))


def mask_to_bias(padding_mask: Any, dtype: Any) -> Any:
    """Turn a mask (True: real) into what is added to scores: 0, or `MASKED`."""
    return (1.0 - ops.cast(padding_mask, dtype)) * MASKED


def attend(query: Any, key: Any, value: Any, bias: Any) -> Any:
    """Give softmax(Q Kᵀ + bias) V, the queries scaled already (section 3.2.1).

    Shapes: query (…, n, d), key and value (…, m, d), bias broadcast to (…, n, m). Time and memory
    O(n·m).
    """
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
    return ops.matmul(ops.softmax(scores + bias, axis=-1), value)


class FullAttention(keras.layers.Layer):
    """Multi-head attention of a sequence to itself.

    Vaswani et al. 2017, section 3.2.2: `query`, `key`, `value` are W^Q, W^K, W^V of all heads side
    by side, `output_projection` is W^O; h is `num_heads`, d_k the head size.

    In: hidden states (batch, n, width), padding mask (batch, n), True where real. Out: (batch, n,
    width). Time O(n²). Memory O(n²); with `query_block` b, O(n·b) in the backward pass too: queries
    are taken b at a time and their scores computed again for the gradient.

    Raises:
        ValueError: the width does not divide into the heads.

    Example:
        >>> layer = FullAttention(num_heads=4)
        >>> layer(keras.random.normal((2, 7, 32))).shape
        TensorShape([2, 7, 32])
    """

    def __init__(self, num_heads: int, query_block: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.query_block = query_block

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the four projections."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        for name in ("query", "key", "value", "output_projection"):
            projection = keras.layers.Dense(width, name=name, dtype=self.dtype_policy)
            projection.build(input_shape)
            setattr(self, name, projection)

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Attend; keys at padded positions are not seen."""
        length, width = hidden_states.shape[1:]
        query, key, value = (
            split_heads(projection(hidden_states), self.num_heads)
            for projection in (self.query, self.key, self.value)
        )
        query = query * (width // self.num_heads) ** -0.5
        bias = ops.zeros((1, 1, 1, 1), query.dtype)
        if padding_mask is not None:
            bias = mask_to_bias(padding_mask, query.dtype)[:, None, None, :]
        if self.query_block is None or length <= self.query_block:
            return self.output_projection(merge_heads(attend(query, key, value, bias)))
        attend_again = keras.remat(attend)
        blocks = [
            attend_again(query[:, :, start : start + self.query_block], key, value, bias)
            for start in range(0, length, self.query_block)
        ]
        return self.output_projection(merge_heads(ops.concatenate(blocks, axis=2)))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        own = {"num_heads": self.num_heads, "query_block": self.query_block}
        return {**super().get_config(), **own}


def check_heads(width: int | None, num_heads: int) -> None:
    """Refuse a width that the heads do not divide."""
    if width is None or width % num_heads:
        raise ValueError(
            f"The width must be a multiple of num_heads. Received: width={width}, "
            f"num_heads={num_heads}. Choose another number of heads."
        )
