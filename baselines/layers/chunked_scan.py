"""The scan of a matrix state over positions, in parallel within chunks of them.

A state of each head, S of shape (d, v), takes up one key and value per position:
S_t = exp(g_t) S_{t-1} + k_t v_tᵀ, and a query reads it: o_t = q_tᵀ S_t. Linear attention has no
decay, g = 0 (Katharopoulos et al. 2020, section 3.3). The states of Mamba-2 decay (Dao and Gu 2024,
"Transformers are SSMs", section 6, whose algorithm this is). Those of gated linear attention have a
decay for each channel of the keys (Yang et al. 2024, section 4).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.decays import (
    accumulate_decays,
    chunk_size,
    decayed_products,
    decays_between,
    decays_from_start,
    decays_of_chunk,
    decays_to_end,
)
from baselines.layers.flops import CHUNK_LENGTH
from baselines.layers.fusing import fused
from baselines.layers.lengths import cut_end, missing_to_multiple, pad_end, scan


def scan_in_chunks(
    query: Any,
    key: Any,
    value: Any,
    log_decay: Any = None,
    initial_state: Any = None,
    chunk_length: int = CHUNK_LENGTH,
    rank: int = 1,
    sees_itself: bool = True,
) -> tuple[Any, Any]:
    """Return the outputs of all positions, and the state after the last one.

    Shapes: query and key (batch, groups, n, d), value (batch, heads, n, v), log_decay (batch,
    heads, n), or (batch, heads, n, d) with a decay for each channel, with values of at most 0,
    initial_state (batch, heads, d, v), zeros by default. The outputs are (batch, heads, n, v).
    Consecutive heads share the query and key of a group; with decays of channels, each head has
    its own. With a shared decay, each position may have `rank` rows of queries, keys and values in
    place of one: n counts rows, and only the first row of a position has a decay. Without
    `sees_itself`, a query does not read the rows of its own position. Time O(n · (c · (d + v) + d ·
    v)) for chunks of c rows, memory O(n · (c + d + v) + n · d · v / c). The graph does not grow
    with n.

    Raises:
        ValueError: there are decays, and the chunks are longer than `LONGEST_CHUNK`, or their
            length is no power of two, where each channel has its own decay.
    """
    num_groups, num_heads = query.shape[1], value.shape[1]
    by_channel = log_decay is not None and len(log_decay.shape) == 4
    length = ops.shape(query)[2]
    size = chunk_size(length, rank * chunk_length, by_channel)

    def split(part: Any, num_parts: int) -> Any:
        """Return (batch, groups, heads of a group, chunks, positions, …), filled with zeros."""
        missing = missing_to_multiple(length, size)
        part = pad_end(part, missing, axis=2)
        chunks = (length + missing) // size, size
        return ops.reshape(part, (-1, num_groups, num_parts // num_groups, *chunks, part.shape[-1]))

    query, key = split(query, num_groups)[:, :, 0], split(key, num_groups)[:, :, 0]
    value = split(value, num_heads)
    if initial_state is not None:
        state_shape = (-1, num_groups, num_heads // num_groups, *initial_state.shape[2:])
        initial_state = ops.reshape(initial_state, state_shape)
    if by_channel:
        reached = accumulate_decays(split(log_decay, num_heads))
        query, key = query[:, :, None], key[:, :, None]
        (weights,) = decayed_products([query], key, *reached)
        query, key = fused(_decay_to_ends)(query, key, *reached)
        updates = ops.einsum("bgrcjd,bgrcjv->bgrcdv", key, value)
        if initial_state is None:
            initial_state = ops.zeros_like(updates[:, :, :, 0])
        before, last = _carry(updates, decays_of_chunk(*reached), initial_state)
        carried = ops.matmul(query, before)
        return _join(weights, value, carried, last, num_heads, length)
    scores = ops.einsum("bgcid,bgcjd->bgcij", query, key)[:, :, None]
    if log_decay is None:
        weights = ops.where(_order(size), scores, ops.zeros_like(scores))
        updates = ops.einsum("bgcjd,bgrcjv->bgrcdv", key, value)
        after = ops.cumsum(updates, axis=3)
        first = ops.zeros_like(updates[:, :, :, :1])
        if initial_state is not None:
            first = initial_state[:, :, :, None]
            after = after + first
        # The difference of `after` and `updates` would hold the rounding of later, larger keys.
        before = ops.concatenate([first, after[:, :, :, :-1]], axis=3)
        last = after[:, :, :, -1]
        carried = ops.einsum("bgcid,bgrcdv->bgrciv", query, before)
    else:
        reached = accumulate_decays(split(log_decay[..., None], num_heads))
        weights = fused(_decayed_scores(rank, sees_itself))(scores, *reached)
        to_end = fused(_decayed_to_end)(value, *reached)
        updates = ops.einsum("bgcjd,bgrcjv->bgrcdv", key, to_end)
        if initial_state is None:
            initial_state = ops.zeros_like(updates[:, :, :, 0])
        before, last = _carry(updates, decays_of_chunk(*reached), initial_state)
        carried = ops.einsum("bgcid,bgrcdv->bgrciv", query, before)
        carried = fused(_decayed_from_start)(carried, *reached)
    return _join(weights, value, carried, last, num_heads, length)


def _join(
    weights: Any, value: Any, carried: Any, last: Any, num_heads: int, length: Any
) -> tuple[Any, Any]:
    """Return the outputs of the positions of all chunks, and the last state, by head."""
    outputs = ops.matmul(weights, value) + carried
    num_chunks, size = ops.shape(outputs)[3:5]
    outputs = ops.reshape(outputs, (-1, num_heads, num_chunks * size, value.shape[-1]))
    return cut_end(outputs, length, axis=2), ops.reshape(last, (-1, num_heads, *last.shape[3:]))


@lru_cache
def _order(size: int) -> np.ndarray:
    """Return which positions, by row, see which others: (size, size)."""
    return np.tril(np.ones((size, size), bool))


@lru_cache
def _decayed_scores(rank: int, sees_itself: bool) -> Callable[[Any, Any, Any], Any]:
    def decay(scores: Any, coarse: Any, fine: Any) -> Any:
        """Return the scores of earlier positions, decayed by what lies between: (…, c, c)."""
        places = np.arange(fine.shape[-2]) // rank
        seen = places[None, :] < places[:, None] + sees_itself
        return scores * decays_between(coarse, fine, seen)

    return decay


def _decayed_to_end(value: Any, coarse: Any, fine: Any) -> Any:
    """Return the values, decayed from their positions to the end of the chunk."""
    return value * decays_to_end(coarse, fine)


def _decayed_from_start(carried: Any, coarse: Any, fine: Any) -> Any:
    """Return what queries read of the state before the chunk, decayed to their positions."""
    return carried * decays_from_start(coarse, fine)


def _decay_to_ends(query: Any, key: Any, coarse: Any, fine: Any) -> tuple[Any, Any]:
    """Return queries decayed from the start of the chunk, and keys decayed to its end."""
    return query * decays_from_start(coarse, fine), key * decays_to_end(coarse, fine)


def _carry(updates: Any, decays: Any, initial_state: Any) -> tuple[Any, Any]:
    """Return the state before each chunk, and the state after the last one.

    Shapes: updates (batch, groups, heads, chunks, d, v), decays (batch, groups, heads, chunks, 1 or
    d, 1). The gradient is the same recurrence from the last chunk to the first, so that it needs no
    other storage than the states, and compiles on every backend.
    """

    @backend_functions().custom_gradient  # type: ignore[untyped-decorator]
    def carry(updates: Any, decays: Any, initial_state: Any) -> Any:
        before, last = _recur(updates, decays, initial_state)

        def gradient(d_before: Any, d_last: Any) -> Any:
            d_updates, d_initial = _recur(d_before, decays, d_last, reverse=True)
            return d_updates, sum_like(d_updates * before, decays), d_initial

        return (before, last), gradient

    before, last = carry(ops.moveaxis(updates, 3, 0), ops.moveaxis(decays, 3, 0), initial_state)
    return ops.moveaxis(before, 0, 3), last


def _recur(updates: Any, decays: Any, state: Any, reverse: bool = False) -> tuple[Any, Any]:
    """Return the states before each of the updates along the first axis, and the last state."""

    def take(state: Any, chunk: Any) -> tuple[Any, Any]:
        update, decay = chunk
        return state * decay + update, state

    last, before = scan(take, state, (updates, decays), reverse=reverse)
    return before, last


def sum_like(product: Any, decays: Any) -> Any:
    """Return the gradient of decays (…, 1 or d, 1) from the products with states (…, d, v)."""
    axes = (-2, -1) if decays.shape[-2] == 1 else (-1,)
    return ops.sum(product, axis=axes, keepdims=True)
