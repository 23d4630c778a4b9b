"""Attention within a window, and global attention of a few tokens.

Beltagy, Peters, Cohan 2020, "Longformer: The Long-Document Transformer", section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.attention import multiply_transposed
from baselines.layers.attention_positions import AttentionPositions
from baselines.layers.backends import backend_functions
from baselines.layers.full_attention import check_heads, merge_heads, split_heads
from baselines.layers.initialization import dense, kernel, repeated_kernel
from baselines.layers.key_value_state import (
    State,
    attend_with_state,
    empty_state,
    is_start,
    require_room,
    write_state,
)
from baselines.layers.layer import Layer, build_once, zero_padding
from baselines.layers.lengths import is_known
from baselines.layers.masked_scores import mask_scores, softmax
from baselines.layers.neighbour_blocks import (
    BlockLayout,
    mask_with_neighbour_blocks,
    with_neighbour_blocks,
)


class SlidingWindowAttention(Layer):
    """Attention to w/2 neighbours on either side, and to the global tokens.

    Beltagy et al. 2020, section 3.1: w is `window`; `query`, `key`, `value` are Q_s, K_s, V_s;
    `query_global`, `key_global`, `value_global` are Q_g, K_g, V_g. The global projections exist
    only if `max_global_tokens` is above 0. A global token attends to all real tokens with the
    global projections; all tokens attend to it with the ordinary ones. With `dilation` d the
    neighbours are d positions apart; it is one number, or one for each head. With `causal`, no
    position attends to a later one: the window is its left half, and global tokens attend to the
    left and are visible from the right.

    The sequence is split into blocks of w/2 positions. A block of queries attends to its own block
    of keys and to the neighbouring blocks, so no n × n array exists. Global tokens score the hidden
    states directly, (K_gᵀ q)ᵀ x, which avoids projecting every position for a few queries.
    With `matched_projections`, Q_g, K_g, V_g start with the values of Q_s, K_s, V_s. `positions`,
    such as `RotaryPositions`, turn Q_s and K_s; the global projections have none.

    In: hidden states (batch, n, width); padding mask and global mask (batch, n), True where real
    and where global. Out: (batch, n, width); padded rows are 0 before the output projection. Time
    O(n·(w + g·h)) and memory O(n·(w + g)) for g = `max_global_tokens` and h heads. If an example
    has more than g global tokens, the first g are global.

    Raises:
        ValueError: the window is odd or below 2, a dilation is below 1 or missing for a head, or
            the width is not a multiple of the heads.

    Example:
        >>> layer = SlidingWindowAttention(num_heads=4, window=8)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        window: int,
        max_global_tokens: int = 0,
        *,
        causal: bool = False,
        dilation: int | Sequence[int] = 1,
        matched_projections: bool = True,
        positions: AttentionPositions | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if window < 2 or window % 2:
            raise ValueError(
                "The window must be even and at least 2: half of it is on either side. "
                f"Received: window={window}. Use {max(2, window + window % 2)}."
            )
        dilations = [dilation] * num_heads if isinstance(dilation, int) else list(dilation)
        if len(dilations) != num_heads or min(dilations) < 1:
            raise ValueError(
                "The dilation must be at least 1: one for all heads, or one for each. Received: "
                f"dilation={dilation}, num_heads={num_heads}. Use 1 for a window without gaps."
            )
        self.num_heads = num_heads
        self.window = window
        self.max_global_tokens = max_global_tokens
        self.causal = causal
        self.dilation = dilation if isinstance(dilation, int) else dilations
        self.matched_projections = matched_projections
        self.positions = AttentionPositions() if positions is None else positions

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections; the global ones only if `max_global_tokens` is above 0."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        names = ["query", "key", "value", "output_projection"]
        if self.max_global_tokens:
            names += ["query_global", "key_global", "value_global"]
        initializers = {name: kernel() for name in names}
        for name in names:
            own = name.removesuffix("_global")
            if own != name and self.matched_projections:
                initializers[own] = initializers[name] = repeated_kernel()
        for name in names:
            projection = dense(
                width, kernel_initializer=initializers[name], name=name, dtype=self.dtype_policy
            )
            projection.build(input_shape)
            setattr(self, name, projection)
        head_size = self.query.units // self.num_heads
        build_once(self.positions, (None, self.num_heads, None, head_size))

    def call(self, hidden_states: Any, padding_mask: Any = None, global_mask: Any = None) -> Any:
        """Return the projected attention."""
        return self.output_projection(self.mix(hidden_states, padding_mask, global_mask))

    def mix(self, hidden_states: Any, padding_mask: Any = None, global_mask: Any = None) -> Any:
        """Return attention before the output projection, as the published outputs are."""
        hidden_states = zero_padding(hidden_states, padding_mask)
        if padding_mask is None:
            padding_mask = ops.ones_like(hidden_states[:, :, 0], dtype="bool")
        query, key, value = self._project(hidden_states)
        if global_mask is None or not self.max_global_tokens:
            heads = self._attend_in_window(query, key, value, padding_mask)
            return zero_padding(merge_heads(heads), padding_mask)
        # (batch, g, n): row i is one-hot at the i-th global token, or 0 if there are fewer.
        selection = _select(global_mask & padding_mask, self.max_global_tokens, query.dtype)
        is_global = ops.sum(selection, axis=1) > 0
        global_key = ops.matmul(selection[:, None], key)
        scores = multiply_transposed(query, global_key)
        scores = mask_scores(scores, self._seen_global_tokens(selection))
        extra = scores, ops.matmul(selection[:, None], value)
        visible = padding_mask & ops.logical_not(is_global)
        heads = self._attend_in_window(query, key, value, visible, extra)
        from_global = self._attend_from_global(hidden_states, selection, padding_mask)
        spread = ops.matmul(ops.swapaxes(selection, 1, 2), from_global)
        mixed = ops.where(is_global[:, :, None], spread, merge_heads(heads))
        return zero_padding(mixed, padding_mask)

    def init_state(self, batch_size: int, max_length: int) -> State:
        """Return zeros for the keys and values of the window, or of `max_length` positions."""
        size = self.key.units // self.num_heads
        places = min(self._reach, max_length)
        return empty_state(batch_size, self.num_heads, places, size, self.compute_dtype)

    def decode_step(self, hidden_states: Any, state: State, position: Any) -> tuple[Any, State]:
        """Return the output for positions `position`, `position` + 1, … and the new state.

        The output, (batch, m, width), equals that of `call` on all positions so far without global
        tokens. Time O(m · (m + window)).

        Raises:
            ValueError: the state has no place for a position; see `require_places`.
        """
        hidden_states = require_room(hidden_states, state, position, self._reach)
        projected = self._project(hidden_states, position)
        if is_start(position):
            visible = ops.ones_like(hidden_states[:, :, 0], dtype="bool")
            heads = self._attend_in_window(*projected, visible)
            state = write_state(state, projected[1:], position)
        else:
            heads, state = attend_with_state(projected, state, position, self._sees)
        return self.output_projection(merge_heads(heads)), state

    def _sees(self, distances: Any, places: Any) -> Any:
        """Return whether queries see keys that lie `distances` back: (m, k) or (heads, m, k)."""
        dilation = self.dilation
        if not isinstance(dilation, int):
            dilation = ops.convert_to_tensor(np.array(dilation, "int32")[:, None, None])
        near = (distances >= 0) & (distances <= self.window // 2 * dilation)
        return near & (distances % dilation == 0)

    @property
    def _reach(self) -> int:
        """The distance of the farthest key that a causal query sees."""
        farthest = self.dilation if isinstance(self.dilation, int) else max(self.dilation)
        return self.window // 2 * farthest

    def _project(self, hidden_states: Any, start: Any = 0) -> tuple[Any, Any, Any]:
        """Return scaled queries, keys and values by head; the first is at position `start`."""
        query, key, value = (
            split_heads(projection(hidden_states), self.num_heads)
            for projection in (self.query, self.key, self.value)
        )
        query, key = (self.positions.rotate(part, start) for part in (query, key))
        return query * query.shape[-1] ** -0.5, key, value

    def _attend_in_window(
        self, query: Any, key: Any, value: Any, visible: Any, extra: Sequence[Any] = ()
    ) -> Any:
        """Return attention to the visible keys of the window and to extra keys.

        Shapes: query, key, value (batch, heads, n, head size), visible (batch, n). `extra` holds
        the scores (batch, heads, n, g) and values (batch, heads, g, head size) of the extra keys.
        """
        if isinstance(self.dilation, int):
            return self._attend_dilated(self.dilation, query, key, value, visible, extra)
        parts, start = [], 0
        for dilation, heads in groupby(self.dilation):
            stop = start + len(list(heads))
            queries, keys, values, *others = (
                part[:, start:stop] for part in (query, key, value, *extra)
            )
            parts.append(self._attend_dilated(dilation, queries, keys, values, visible, others))
            start = stop
        return ops.concatenate(parts, axis=1)

    def _attend_dilated(
        self, stride: int, query: Any, key: Any, value: Any, visible: Any, extra: Sequence[Any]
    ) -> Any:
        """Return the attention of heads whose neighbours are `stride` positions apart."""
        length = ops.shape(query)[2]
        reach = self.window // 2
        if is_known(length):
            # If the window covers the sequence, one block as long as the sequence is enough.
            reach = min(reach, max(1, -(-length // stride)))
        num_blocks = -(-length // (reach * stride))
        layout = BlockLayout(length, num_blocks, reach, stride)
        shifts: tuple[int, ...] = (1, 0) if self.causal else (1, 0, -1)
        if is_known(num_blocks) and num_blocks == 1:
            shifts = (0,)
        shown = mask_with_neighbour_blocks(layout.blocks(visible[:, None, :, None]), shifts)
        shown = ops.swapaxes(shown, -1, -2)
        band = ops.convert_to_tensor(_band(reach, shifts, self.causal))
        query, key, value = (layout.blocks(part) for part in (query, key, value))
        scores = multiply_transposed(query, with_neighbour_blocks(key, shifts))
        value = with_neighbour_blocks(value, shifts)
        if not extra:
            weights = softmax(mask_scores(scores, shown & band))
            return layout.join(ops.matmul(weights, value))
        extra_scores, extra_value = extra
        weights, extra_weights, total = _unnormalised_softmax()(
            scores, layout.blocks(extra_scores), shown, band
        )
        mixed = layout.join(ops.matmul(weights, value))
        mixed = mixed + ops.matmul(layout.join(extra_weights), extra_value)
        return mixed / layout.join(total)

    def _seen_global_tokens(self, selection: Any) -> Any:
        """Return where the global tokens' keys are visible, (batch, 1, n or 1, g)."""
        if not self.causal:
            return (ops.sum(selection, axis=2) > 0)[:, None, None, :]
        # The cumulative sum is 1 from the token's place on, where the token is visible.
        return (ops.swapaxes(ops.cumsum(selection, axis=2), 1, 2) > 0)[:, None]

    def _attend_from_global(self, hidden_states: Any, selection: Any, padding_mask: Any) -> Any:
        """Return attention of the global tokens to all real tokens: (batch, g, width)."""
        head_size = hidden_states.shape[-1] // self.num_heads
        query = self.query_global(ops.matmul(selection, hidden_states))
        query = split_heads(query, self.num_heads) * head_size**-0.5
        value = None
        if self.key_global.quantization_mode:  # kernels alone are not the layers
            key, value = (
                split_heads(projection(hidden_states), self.num_heads)
                for projection in (self.key_global, self.value_global)
            )
            scores = multiply_transposed(query, key)
        else:
            scores = self._global_scores(query, hidden_states)
        visible = padding_mask[:, None, None, :]
        if self.causal:
            # After the token's place the cumulative sum is 1: those positions are masked.
            later = ops.cumsum(selection, axis=2) - selection > 0
            visible = visible & ops.logical_not(later)[:, None]
        weights = softmax(mask_scores(scores, visible))
        if value is not None:
            return merge_heads(ops.matmul(weights, value))
        return merge_heads(self._global_values(weights, hidden_states))

    def _global_scores(self, query: Any, hidden_states: Any) -> Any:
        """Return the scores of (batch, heads, g, head size) queries: (batch, heads, g, n).

        The kernel multiplies the few queries, and not the keys of all positions.
        """
        weights, bias = self._by_head(self.key_global)
        length, width = ops.shape(hidden_states)[1:]
        # One product for the rows of all heads, (batch, h·g, width): einsum would transpose states.
        rows = (-1, self.num_heads * self.max_global_tokens, width)
        turned = ops.reshape(ops.einsum("bhgd,whd->bhgw", query, weights), rows)
        scores = multiply_transposed(turned, hidden_states)
        scores = ops.reshape(scores, (-1, self.num_heads, self.max_global_tokens, length))
        return scores + ops.sum(query * bias, axis=-1, keepdims=True)

    def _global_values(self, weights: Any, hidden_states: Any) -> Any:
        """Return the weighted values of all positions: (batch, heads, g, head size)."""
        projection, bias = self._by_head(self.value_global)
        length, width = ops.shape(hidden_states)[1:]
        weights = ops.reshape(weights, (-1, self.num_heads * self.max_global_tokens, length))
        pooled = ops.matmul(weights, hidden_states)
        pooled = ops.reshape(pooled, (-1, self.num_heads, self.max_global_tokens, width))
        return ops.einsum("bhgw,whd->bhgd", pooled, projection) + bias

    def _by_head(self, projection: Any) -> tuple[Any, Any]:
        """Return a kernel (width, heads, head size) and a bias (1, heads, 1, head size)."""
        width, units = projection.kernel.shape
        size = units // self.num_heads
        by_head = ops.reshape(projection.kernel, (width, self.num_heads, size))
        return by_head, ops.reshape(projection.bias, (1, self.num_heads, 1, size))


def _select(mask: Any, count: int, dtype: Any) -> Any:
    """Return (batch, count, n) one-hot rows of the first `count` True positions of each row."""
    rank = ops.cumsum(ops.cast(mask, "int32"), axis=1) * ops.cast(mask, "int32")
    return ops.cast(rank[:, None, :] == ops.arange(1, count + 1)[None, :, None], dtype)


@lru_cache
def _unnormalised_softmax() -> Any:
    """Return a kernel for the unnormalised softmax over window and global scores.

    The kernel returns the two parts and their sum. Dividing the weighted values by the sum touches
    far fewer numbers than dividing the weights.
    """
    row_max = backend_functions().row_max

    def exponentiate(scores: Any, extra: Any, shown: Any, band: Any) -> tuple[Any, Any, Any]:
        scores = mask_scores(scores, shown & band)
        highest = ops.stop_gradient(ops.maximum(row_max(scores), row_max(extra)))
        scores, extra = ops.exp(scores - highest), ops.exp(extra - highest)
        total = ops.sum(scores, axis=-1, keepdims=True) + ops.sum(extra, axis=-1, keepdims=True)
        return scores, extra, total

    return backend_functions().fused(exponentiate, num_constants=2)


def _band(reach: int, shifts: tuple[int, ...], causal: bool) -> np.ndarray:
    """Return which keys are within the window, (reach, keys), for all blocks."""
    query = np.arange(reach)[:, None]
    key = np.concatenate([np.arange(reach) - shift * reach for shift in shifts])[None, :]
    near: np.ndarray = np.abs(query - key) <= reach
    if causal:
        near &= key <= query
    return near
