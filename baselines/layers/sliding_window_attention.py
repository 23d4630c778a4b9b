"""Attention within a window, and of a few global tokens to everything.

Beltagy, Peters, Cohan 2020, "Longformer: The Long-Document Transformer", section 3.1.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.full_attention import (
    MASKED,
    attend,
    check_heads,
    mask_to_bias,
    merge_heads,
    split_heads,
)


class SlidingWindowAttention(keras.layers.Layer):
    """Each position attends to w/2 neighbours on either side, and to the global tokens.

    Beltagy et al. 2020, section 3.1: w is `window`; `query`, `key`, `value` are Q_s, K_s, V_s;
    `query_global`, `key_global`, `value_global` are Q_g, K_g, V_g, which exist only where
    `max_global_tokens` is above 0. A global token attends to all real tokens with the global
    projections and is attended by all with the ordinary ones. The sequence is cut into blocks of
    w/2; a block of queries sees its own block of keys and the two beside it, so no n × n array
    exists.

    In: hidden states (batch, n, width), padding mask and global mask (batch, n), True where real
    and where global. Out: (batch, n, width); rows of padding are 0 before the output projection.
    Time and memory O(n·(w + g)) for g = `max_global_tokens`. With more than g global tokens in an
    example, the first g are global.

    Raises:
        ValueError: an odd window, or one below 2; a width that does not divide into the heads.

    Example:
        >>> layer = SlidingWindowAttention(num_heads=4, window=8)
        >>> layer(keras.random.normal((2, 19, 32))).shape
        TensorShape([2, 19, 32])
    """

    def __init__(
        self, num_heads: int, window: int, max_global_tokens: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if window < 2 or window % 2:
            raise ValueError(
                "A window is even and at least 2: half of it lies on either side. "
                f"Received: window={window}. Take {max(2, window + window % 2)}."
            )
        self.num_heads = num_heads
        self.window = window
        self.max_global_tokens = max_global_tokens

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections; the global ones only where there can be global tokens."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        names = ["query", "key", "value", "output_projection"]
        if self.max_global_tokens:
            names += ["query_global", "key_global", "value_global"]
        for name in names:
            projection = keras.layers.Dense(width, name=name, dtype=self.dtype_policy)
            projection.build(input_shape)
            setattr(self, name, projection)

    def call(self, hidden_states: Any, padding_mask: Any = None, global_mask: Any = None) -> Any:
        """Attend, and project."""
        return self.output_projection(self.mix(hidden_states, padding_mask, global_mask))

    def mix(self, hidden_states: Any, padding_mask: Any = None, global_mask: Any = None) -> Any:
        """Attend without the output projection, as the published outputs are."""
        if padding_mask is None:
            padding_mask = ops.ones_like(hidden_states[:, :, 0], dtype="bool")
        query = self._heads(self.query, hidden_states, scaled=True)
        key = self._heads(self.key, hidden_states)
        value = self._heads(self.value, hidden_states)
        if global_mask is None or not self.max_global_tokens:
            heads = _attend_in_window(query, key, value, padding_mask, self.window // 2)
            return merge_heads(heads) * ops.cast(padding_mask, heads.dtype)[:, :, None]
        # (batch, g, n): row i points at the i-th global token, or is 0 where there are fewer.
        selection = _select(global_mask & padding_mask, self.max_global_tokens, query.dtype)
        is_global = ops.sum(selection, axis=1) > 0
        heads = _attend_in_window(
            query,
            key,
            value,
            padding_mask & ops.logical_not(is_global),
            self.window // 2,
            extra=(
                ops.matmul(selection[:, None], key),
                ops.matmul(selection[:, None], value),
                mask_to_bias(ops.sum(selection, axis=2), query.dtype),
            ),
        )
        from_global = self._attend_from_global(hidden_states, selection, padding_mask)
        spread = ops.matmul(ops.swapaxes(selection, 1, 2), from_global)
        mixed = ops.where(is_global[:, :, None], spread, merge_heads(heads))
        return mixed * ops.cast(padding_mask, mixed.dtype)[:, :, None]

    def _heads(self, projection: Any, hidden_states: Any, scaled: bool = False) -> Any:
        heads = split_heads(projection(hidden_states), self.num_heads)
        return heads * heads.shape[-1] ** -0.5 if scaled else heads

    def _attend_from_global(self, hidden_states: Any, selection: Any, padding_mask: Any) -> Any:
        """Let the global tokens attend to all real ones: (batch, g, width)."""
        tokens = ops.matmul(selection, hidden_states)
        query = self._heads(self.query_global, tokens, scaled=True)
        key = self._heads(self.key_global, hidden_states)
        value = self._heads(self.value_global, hidden_states)
        bias = mask_to_bias(padding_mask, query.dtype)[:, None, None, :]
        return merge_heads(attend(query, key, value, bias))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        own = {
            "num_heads": self.num_heads,
            "window": self.window,
            "max_global_tokens": self.max_global_tokens,
        }
        return {**super().get_config(), **own}


def _select(mask: Any, count: int, dtype: Any) -> Any:
    """Return (batch, count, n) one-hot rows of the first `count` True positions of each row."""
    rank = ops.cumsum(ops.cast(mask, "int32"), axis=1) * ops.cast(mask, "int32")
    return ops.cast(rank[:, None, :] == ops.arange(1, count + 1)[None, :, None], dtype)


def _attend_in_window(
    query: Any,
    key: Any,
    value: Any,
    visible: Any,
    reach: int,
    extra: tuple[Any, Any, Any] | None = None,
) -> Any:
    """Attend to the visible keys at most `reach` away, and to the `extra` ones.

    Shapes: query, key, value (batch, heads, n, head size), visible (batch, n); extra keys and
    values (batch, heads, g, head size) with their bias (batch, g). The queries are scaled already.
    """
    length, head_size = query.shape[2:]
    num_heads = query.shape[1]
    num_blocks = -(-length // reach)
    padding = num_blocks * reach - length
    query, key, value = (
        ops.reshape(
            ops.pad(part, ((0, 0), (0, 0), (0, padding), (0, 0))),
            (-1, num_heads, num_blocks, reach, head_size),
        )
        for part in (query, key, value)
    )
    visible = ops.reshape(ops.pad(visible, ((0, 0), (0, padding))), (-1, num_blocks, reach))
    bias = mask_to_bias(visible, query.dtype)[:, None, :, None, :]
    if num_blocks > 1:
        key, value = _with_neighbours(key, 0.0), _with_neighbours(value, 0.0)
        bias = _with_neighbours(bias, MASKED, axis=4) + _band(reach)
    if extra is not None:
        key, value, bias = _prepend(extra, key, value, bias)
    heads = attend(query, key, value, bias)
    heads = ops.reshape(heads, (-1, num_heads, num_blocks * reach, head_size))
    return heads[:, :, :length]


def _with_neighbours(blocks: Any, filler: float, axis: int = 3) -> Any:
    """Put beside each block (axis 2) the one before and the one after, along `axis`."""
    widths = [(0, 0)] * 5
    widths[2] = (1, 1)
    padded = ops.pad(blocks, widths, constant_values=filler)
    return ops.concatenate([padded[:, :, :-2], padded[:, :, 1:-1], padded[:, :, 2:]], axis=axis)


def _band(reach: int) -> Any:
    """Return the bias of keys too far away: (reach, 3 · reach), the own block in the middle."""
    distance = np.arange(3 * reach)[None, :] - reach - np.arange(reach)[:, None]
    return np.where(np.abs(distance) <= reach, 0.0, MASKED).astype("float32")


def _prepend(extra: tuple[Any, Any, Any], key: Any, value: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Put the extra keys, values and biases before those of every block."""
    extra_key, extra_value, extra_bias = extra
    num_blocks, num_queries = key.shape[2], bias.shape[3]
    tiled_key, tiled_value = (
        ops.repeat(part[:, :, None], num_blocks, axis=2) for part in (extra_key, extra_value)
    )
    tiled_bias = ops.tile(extra_bias[:, None, None, None, :], (1, 1, num_blocks, num_queries, 1))
    return (
        ops.concatenate([tiled_key, key], axis=3),
        ops.concatenate([tiled_value, value], axis=3),
        ops.concatenate([tiled_bias, bias], axis=4),
    )
