"""Multi-head attention of every position to every other, or to those within a window.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.attention import attention, check_pattern
from baselines.layers.attention_blocks import BLOCK_BYTES
from baselines.layers.attention_positions import AttentionPositions
from baselines.layers.initialization import dense, kernel
from baselines.layers.key_value_state import (
    State,
    attend_with_state,
    empty_state,
    is_start,
    require_room,
    write_state,
)
from baselines.layers.layer import Layer, build_once, zero_padding
from baselines.layers.removal import (
    absolute_sums,
    columns_of_heads,
    keep_channels,
    keep_columns,
    keep_rows,
)
from baselines.layers.short_convolution import ShortConvolution


def split_heads(projected: Any, num_heads: int) -> Any:
    """Reshape (batch, length, width) to (batch, heads, length, head size)."""
    _batch, length, width = ops.shape(projected)
    heads = ops.reshape(projected, (-1, length, num_heads, width // num_heads))
    return ops.transpose(heads, (0, 2, 1, 3))


def merge_heads(heads: Any) -> Any:
    """Reshape (batch, heads, length, head size) to (batch, length, width)."""
    _, num_heads, length, head_size = ops.shape(heads)
    return ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), (-1, length, num_heads * head_size))


class FullAttention(Layer):
    """Multi-head attention of a sequence to itself, or to a context.

    Vaswani et al. 2017, section 3.2.2: `query`, `key`, `value` are W^Q, W^K, W^V of all heads,
    concatenated; `output_projection` is W^O; h is `num_heads`, d_k the head size, by default width
    / h. With `causal`, a position attends to itself and to earlier ones (section 3.2.3).

    In: hidden states (batch, n, width); the padding mask of the keys, True where real; the context
    (batch, m, width), by default the hidden states, or the result of `project_context`. Out:
    (batch, n, width). Time O(n·m), or O(n·w) with a window of w keys. Memory O(n + m): scores exist
    for one block of queries at a time, of about `block_bytes`, and are recomputed for the gradient.
    With `block_bytes=None` memory is O(n·m).

    Args:
        num_heads: The number of query heads.
        causal: Whether a position attends to no later ones.
        block_bytes: The size of a block of scores.
        num_residual_branches: Initially, the kernel of W^O is divided by the root of this number.
        num_key_value_heads: The number of heads of keys and values, each shared by consecutive
            query heads (Ainslie et al. 2023); by default `num_heads`.
        head_size: The size of a head.
        short_convolution: The kernel size of a `ShortConvolution` of queries, of keys and of values
            each (So et al. 2021, "Primer", section 4). Positions follow. 0: none.
        window: The number of positions that a position sees, itself the last one (Jiang et al.
            2023, section 2); without `causal`, as many on the other side too. None: all.
        num_sinks: The number of first positions that stay visible beside the window (Xiao et al.
            2023, "Efficient Streaming Language Models with Attention Sinks").
        positions: A scheme of `attention_positions`. Layers may share one that has weights.
        use_bias: Whether the projections have biases.
        output_bias: Whether the output projection has one; by default as the others.
        scaled: Whether scores are divided by √d_k. If not, the kernel of W^Q initially is.
        dropout: The share of attention weights that are set to 0 in training.
        seed: The seed of the dropout.

    Raises:
        ValueError: the width is not a multiple of the heads, nor the heads of the key/value heads,
            the window is below 1 or the short convolution below 0, rotary positions meet an odd
            head size, or a short convolution meets a context.

    Example:
        >>> layer = FullAttention(num_heads=4)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        causal: bool = False,
        block_bytes: int | None = BLOCK_BYTES,
        num_residual_branches: int = 1,
        *,
        num_key_value_heads: int | None = None,
        head_size: int | None = None,
        short_convolution: int = 0,
        window: int | None = None,
        num_sinks: int = 0,
        positions: AttentionPositions | None = None,
        use_bias: bool = True,
        output_bias: bool | None = None,
        scaled: bool = True,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.causal = causal
        self.block_bytes = block_bytes
        self.num_residual_branches = num_residual_branches
        self.num_key_value_heads = num_heads if num_key_value_heads is None else num_key_value_heads
        self.head_size = head_size
        self.short_convolution = short_convolution
        self.window = window
        self.num_sinks = num_sinks
        self.positions = AttentionPositions() if positions is None else positions
        self.use_bias = use_bias
        self.output_bias = output_bias
        self.scaled = scaled
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        check_pattern(num_heads, self.num_key_value_heads, window, num_sinks)
        self.convolutions = [
            ShortConvolution(
                short_convolution,
                causal=causal,
                name=f"{name}_convolution",
                dtype=self.dtype_policy,
            )
            for name in ("query", "key", "value")
            if short_convolution
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the four projections, and the weights of the positions and convolutions."""
        width = input_shape[-1]
        size = size_of_heads(width, self.num_heads, self.head_size)
        inner = self.num_heads * size
        shared = self.num_key_value_heads * size
        for name, units, fan in (
            ("query", inner, 1 if self.scaled else size),
            ("key", shared, 1),
            ("value", shared, 1),
        ):
            self._add_projection(name, units, input_shape, fan)
        by_head = (*input_shape[:-1], inner)
        bias = self.use_bias if self.output_bias is None else self.output_bias
        self._add_projection("output_projection", width, by_head, self.num_residual_branches, bias)
        if not self.positions.built:
            self.positions.build((None, self.num_heads, None, size))
        for convolution, units in zip(self.convolutions, (inner, shared, shared), strict=False):
            build_once(convolution, (*input_shape[:-1], units))

    def call(
        self,
        hidden_states: Any,
        padding_mask: Any = None,
        context: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Return the projected attention; keys at padded positions are masked."""
        if context is None:
            states = self._project(hidden_states, zero_padding(hidden_states, padding_mask))
            for index, convolution in enumerate(self.convolutions):
                states[index] = convolution(states[index], padding_mask)
            projected = self._by_head(*states)
        else:
            if self.convolutions:
                raise ValueError(
                    "A short convolution is one of attention of a sequence to itself. Received: a "
                    f"context, short_convolution={self.short_convolution}. Use 0."
                )
            if not isinstance(context, tuple):
                context = self.project_context(zero_padding(context, padding_mask))
            query = self._query_heads(self.query(hidden_states))
            projected = self.positions.rotate(query), *context
        heads = self._attend(projected, padding_mask, training)
        return self._finish(merge_heads(heads), hidden_states)

    def _attend(
        self, projected: tuple[Any, Any, Any], padding_mask: Any = None, training: Any = None
    ) -> Any:
        """Return attention by head, where no state precedes the queries."""
        query, key, value = projected
        length, num_keys = ops.shape(query)[2], ops.shape(key)[2]
        dropout, seed = 0.0, None
        if training and self.seed_generator is not None:
            dropout, seed = self.dropout, self.seed_generator.next()
        return attention(
            query,
            key,
            value,
            padding_mask=padding_mask,
            causal=self.causal,
            window=self.window,
            num_sinks=self.num_sinks,
            distance_bias=self.positions.bias(1 - length, length + num_keys - 1),
            scale=None if self.scaled else 1.0,
            dropout=dropout,
            seed=seed,
            block_bytes=self.block_bytes,
        )

    @property
    def num_removable_heads(self) -> int:
        """The number of key/value heads, each with its query heads; 0 if positions are by head."""
        return 0 if self.positions.by_head else self.num_key_value_heads

    def head_norms(self) -> np.ndarray:
        """Return the sum of the absolute weights of each key/value head and its query heads."""
        sums = absolute_sums(self.output_projection, self.num_key_value_heads, axis=0)
        for projection in (self.query, self.key, self.value):
            sums = sums + absolute_sums(projection, self.num_key_value_heads, axis=1)
        return sums

    def remove_heads(self, heads: Sequence[int]) -> None:
        """Remove key/value heads, each with its query heads, for good."""
        size = self.key.units // self.num_key_value_heads
        shared = self.num_heads // self.num_key_value_heads
        kept = np.setdiff1d(np.arange(self.num_key_value_heads), heads)
        queries = columns_of_heads(kept, size * shared)
        keep_columns(self.query, queries)
        keep_rows(self.output_projection, queries)
        shared_columns = columns_of_heads(kept, size)
        for projection in (self.key, self.value):
            keep_columns(projection, shared_columns)
        channels = queries, shared_columns, shared_columns
        for convolution, places in zip(self.convolutions, channels, strict=False):
            keep_channels(convolution, places)
        self.num_key_value_heads = len(kept)
        self.num_heads, self.head_size = shared * len(kept), size

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, ...]:
        """Return zeros for keys and values of `max_length` positions, or of sinks and window.

        The last inputs of the convolutions follow, if there are any.
        """
        size = self.key.units // self.num_key_value_heads
        places = max_length
        if self.window is not None:
            places = self.num_sinks + min(self.window, max_length)
        heads = self.num_key_value_heads
        held = empty_state(batch_size, heads, places, size, self.compute_dtype)
        return (*held, *(convolution.init_state(batch_size) for convolution in self.convolutions))

    def decode_step(
        self, hidden_states: Any, state: tuple[Any, ...], position: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        """Return the output for positions `position`, `position` + 1, … and the new state.

        The output, (batch, m, width), equals that of `call` on all positions so far. Time
        O(m · max_length), or O(m · (m + window)) with a window. The first positions, from 0 on,
        take the memory of `call`: O(m).

        Raises:
            ValueError: the state has no place for a position; see `require_places`.
        """
        (keys, values, *inputs) = state
        held: State = keys, values
        length = keys.shape[2] if self.window is None else None
        hidden_states = require_room(hidden_states, held, position, self.window, self.num_sinks)
        states = self._project(hidden_states, hidden_states)
        for index, convolution in enumerate(self.convolutions):
            states[index], inputs[index] = convolution.decode_step(states[index], inputs[index])
        query, key, value = projected = self._by_head(
            states[0], states[1], states[2], position, length
        )
        if is_start(position):
            heads = self._attend(projected)
            held = write_state(held, (key, value), position, self.num_sinks)
        else:
            scale = query.shape[-1] ** -0.5 if self.scaled else 1.0
            heads, held = attend_with_state(
                (query * scale, key, value),
                held,
                position,
                self._sees,
                self.positions.bias,
                self.num_sinks,
            )
        return self._finish(merge_heads(heads), hidden_states), (*held, *inputs)

    def _sees(self, distances: Any, places: Any) -> Any:
        """Return whether queries see keys that lie `distances` back, at positions `places`."""
        if self.window is None:
            return distances >= 0
        near = distances < self.window
        if self.num_sinks:
            near = near | (places < self.num_sinks)[None, :]
        return (distances >= 0) & near

    def project_context(self, context: Any) -> tuple[Any, Any]:
        """Return the keys and values of a context by head, to be used in many calls."""
        key = self._key_heads(self.key(context))
        value = split_heads(self.value(context), self.num_key_value_heads)
        return self.positions.rotate(key), value

    def _project(self, hidden_states: Any, attended: Any) -> list[Any]:
        """Return queries of the hidden states, and keys and values of the attended ones."""
        return [self.query(hidden_states), self.key(attended), self.value(attended)]

    def _by_head(
        self, query: Any, key: Any, value: Any, start: Any = 0, length: Any = None
    ) -> tuple[Any, Any, Any]:
        """Return queries, keys and values by head; see `AttentionPositions.rotate`."""
        query, key = self._query_heads(query), self._key_heads(key)
        value = split_heads(value, self.num_key_value_heads)
        rotate = self.positions.rotate
        return rotate(query, start, length), rotate(key, start, length), value

    def _query_heads(self, query: Any) -> Any:
        return split_heads(query, self.num_heads)

    def _key_heads(self, key: Any) -> Any:
        return split_heads(key, self.num_key_value_heads)

    def _finish(self, merged: Any, hidden_states: Any) -> Any:
        """Return the projected output of the heads; a subclass also reads the hidden states."""
        return self.output_projection(merged)

    def _add_projection(
        self,
        name: str,
        units: int | None,
        input_shape: tuple[int | None, ...],
        fan: int,
        use_bias: bool | None = None,
    ) -> None:
        projection = dense(
            units,
            kernel_initializer=kernel(fan),
            use_bias=self.use_bias if use_bias is None else use_bias,
            name=name,
            dtype=self.dtype_policy,
        )
        projection.build(input_shape)
        setattr(self, name, projection)


def build_projections(layer: Any, input_shape: tuple[int | None, ...]) -> None:
    """Create `query`, `key`, `value` and `output_projection` of a layer with `num_heads`.

    Raises:
        ValueError: the width is not a multiple of the heads.
    """
    width = input_shape[-1]
    check_heads(width, layer.num_heads)
    for name in ("query", "key", "value", "output_projection"):
        projection = dense(width, name=name, dtype=layer.dtype_policy)
        projection.build(input_shape)
        setattr(layer, name, projection)


def size_of_heads(width: int | None, num_heads: int, head_size: int | None) -> int:
    """Return the given size of a head, or that of heads which share the width.

    Raises:
        ValueError: no size is given, and the width is not a multiple of the heads.
    """
    if head_size is not None:
        return head_size
    check_heads(width, num_heads)
    assert width is not None
    return width // num_heads


def check_heads(width: int | None, num_heads: int) -> None:
    """Raise a ValueError if the width is not a multiple of the heads."""
    if width is None or width % num_heads:
        raise ValueError(
            f"The width must be a multiple of num_heads. Received: width={width}, "
            f"num_heads={num_heads}. Choose another number of heads."
        )
