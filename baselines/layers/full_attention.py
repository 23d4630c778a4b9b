"""Full attention: every position looks at every other.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
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
    """Multi-head attention of a sequence to itself, or to a context.

    Vaswani et al. 2017, section 3.2.2: `query`, `key`, `value` are W^Q, W^K, W^V of all heads side
    by side, `output_projection` is W^O; h is `num_heads`, d_k the head size. Where `causal`, a
    position sees itself and earlier ones (section 3.2.3).

    In: hidden states (batch, n, width), the padding mask of what is attended to, True where real,
    and the context (batch, m, width), by default the hidden states themselves. Out: (batch, n,
    width). Time O(n·m). Memory O(n·m); with `query_block` b, O(m·b) in the backward pass too:
    queries are taken b at a time and their scores computed again for the gradient.

    Raises:
        ValueError: the width does not divide into the heads.

    Example:
        >>> layer = FullAttention(num_heads=4)
        >>> layer(keras.random.normal((2, 7, 32))).shape
        TensorShape([2, 7, 32])
    """

    def __init__(
        self,
        num_heads: int,
        query_block: int | None = None,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.query_block = query_block
        self.causal = causal

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the four projections."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        for name in ("query", "key", "value", "output_projection"):
            projection = keras.layers.Dense(width, name=name, dtype=self.dtype_policy)
            projection.build(input_shape)
            setattr(self, name, projection)

    def call(self, hidden_states: Any, padding_mask: Any = None, context: Any = None) -> Any:
        """Attend; keys at padded positions are not seen."""
        query, key, value = self._project(hidden_states, context)
        bias = ops.zeros((1, 1, 1, 1), query.dtype)
        if padding_mask is not None:
            bias = mask_to_bias(padding_mask, query.dtype)[:, None, None, :]
        length = query.shape[2]
        block = self.query_block or length
        if length <= block:
            heads = attend(query, key, value, self._with_order(bias, 0, length, key.shape[2]))
        else:
            heads = ops.concatenate(
                [
                    self._attend_block(query, key, value, bias, start, min(start + block, length))
                    for start in range(0, length, block)
                ],
                axis=2,
            )
        return self.output_projection(merge_heads(heads))

    def start_cache(self, batch_size: int, max_length: int) -> tuple[Any, Any]:
        """Return room for the keys and values of `max_length` positions."""
        width = self.key.units
        shape = (batch_size, self.num_heads, max_length, width // self.num_heads)
        return ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)

    def step(self, hidden_states: Any, cache: tuple[Any, Any], position: Any) -> tuple[Any, Any]:
        """Attend from positions `position`, `position` + 1, … alone: (batch, m, width).

        Gives the same as `call` on all positions so far; the cache returned holds these too. Time
        O(m · max_length).
        """
        query, key, value = self._project(hidden_states, None)
        start = (0, 0, position, 0)
        keys, values = (
            ops.slice_update(cache[0], start, key),
            ops.slice_update(cache[1], start, value),
        )
        places = position + ops.arange(query.shape[2])
        visible = ops.arange(keys.shape[2])[None, :] <= places[:, None]
        heads = attend(query, keys, values, mask_to_bias(visible, query.dtype)[None, None])
        return self.output_projection(merge_heads(heads)), (keys, values)

    def _project(self, hidden_states: Any, context: Any) -> tuple[Any, Any, Any]:
        """Return queries, scaled, keys and values by head."""
        attended = hidden_states if context is None else context
        query = split_heads(self.query(hidden_states), self.num_heads)
        key = split_heads(self.key(attended), self.num_heads)
        value = split_heads(self.value(attended), self.num_heads)
        return query * query.shape[-1] ** -0.5, key, value

    def _attend_block(
        self, query: Any, key: Any, value: Any, bias: Any, start: int, stop: int
    ) -> Any:
        """Attend from one block of queries; a causal one leaves out the keys after it."""
        seen = stop if self.causal else key.shape[2]
        bias = bias if bias.shape[-1] == 1 else bias[..., :seen]
        order = self._with_order(bias, start, stop, seen)
        return keras.remat(attend)(
            query[:, :, start:stop], key[:, :, :seen], value[:, :, :seen], order
        )

    def _with_order(self, bias: Any, start: int, stop: int, seen: int) -> Any:
        """Hide from queries `start` … `stop` what comes after them, where attention is causal."""
        if not self.causal:
            return bias
        later = np.arange(seen)[None, :] > np.arange(start, stop)[:, None]
        return bias + ops.cast(np.where(later, MASKED, 0.0), bias.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        own = {
            "num_heads": self.num_heads,
            "query_block": self.query_block,
            "causal": self.causal,
        }
        return {**super().get_config(), **own}


def check_heads(width: int | None, num_heads: int) -> None:
    """Refuse a width that the heads do not divide."""
    if width is None or width % num_heads:
        raise ValueError(
            f"The width must be a multiple of num_heads. Received: width={width}, "
            f"num_heads={num_heads}. Choose another number of heads."
        )
