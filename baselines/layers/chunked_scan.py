"""The scan of a matrix state over positions, in parallel within chunks of them.

A state of each head, S of shape (d, v), takes up one key and value per position:
S_t = exp(g_t) S_{t-1} + k_t v_tᵀ, and a query reads it: o_t = q_tᵀ S_t. Linear attention has no
decay, g = 0 (Katharopoulos et al. 2020, section 3.3). The states of Mamba-2 decay (Dao and Gu 2024,
"Transformers are SSMs", section 6, whose algorithm this is).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.flops import CHUNK_LENGTH
from baselines.layers.fusing import fused

ZERO_WEIGHT = -1e30
"""The logarithm of a weight that is 0 in float32."""


def scan_in_chunks(
    query: Any,
    key: Any,
    value: Any,
    log_decay: Any = None,
    initial_state: Any = None,
    chunk_length: int = CHUNK_LENGTH,
) -> tuple[Any, Any]:
    """Return the outputs of all positions, and the state after the last one.

    Shapes: query and key (batch, groups, n, d), value (batch, heads, n, v), log_decay (batch,
    heads, n) with values of at most 0, initial_state (batch, heads, d, v), zeros by default. The
    outputs are (batch, heads, n, v). Consecutive heads share the query and key of a group. Time
    O(n · (c · (d + v) + d · v)) for chunks of c positions, memory O(n · (c + d + v) + n · d · v /
    c). The graph does not grow with n.
    """
    num_groups, length = query.shape[1], query.shape[2]
    num_heads = value.shape[1]
    size = min(chunk_length, length)

    def split(part: Any, num_parts: int) -> Any:
        """Return (batch, groups, heads of a group, chunks, positions, …), filled with zeros."""
        missing = -length % size
        if missing:
            part = ops.pad(part, ((0, 0), (0, 0), (0, missing), (0, 0)))
        chunks = (length + missing) // size, size
        return ops.reshape(part, (-1, num_groups, num_parts // num_groups, *chunks, part.shape[-1]))

    query, key = split(query, num_groups)[:, :, 0], split(key, num_groups)[:, :, 0]
    value = split(value, num_heads)
    if initial_state is not None:
        state_shape = (-1, num_groups, num_heads // num_groups, *initial_state.shape[2:])
        initial_state = ops.reshape(initial_state, state_shape)
    scores = ops.einsum("bgcid,bgcjd->bgcij", query, key)[:, :, None]
    if log_decay is None:
        weights = ops.where(_order(size), scores, ops.zeros_like(scores))
        updates = ops.einsum("bgcjd,bgrcjv->bgrcdv", key, value)
        after = ops.cumsum(updates, axis=3)
        if initial_state is not None:
            after = after + initial_state[:, :, :, None]
        before, last = after - updates, after[:, :, :, -1]
        carried = ops.einsum("bgcid,bgrcdv->bgrciv", query, before)
    else:
        reached = ops.cumsum(split(log_decay[..., None], num_heads)[..., 0], axis=-1)
        weights = fused(_decayed_scores)(scores, reached)
        to_end = fused(_decayed_to_end)(value, reached)
        updates = ops.einsum("bgcjd,bgrcjv->bgrcdv", key, to_end)
        if initial_state is None:
            initial_state = ops.zeros_like(updates[:, :, :, 0])
        before, last = _carry(updates, ops.exp(reached[..., -1]), initial_state)
        carried = ops.einsum("bgcid,bgrcdv->bgrciv", query, before)
        carried = fused(_decayed_from_start)(carried, reached)
    outputs = ops.matmul(weights, value) + carried
    outputs = ops.reshape(outputs, (-1, num_heads, outputs.shape[3] * size, value.shape[-1]))
    return outputs[:, :, :length], ops.reshape(last, (-1, num_heads, *last.shape[3:]))


def _order(size: int) -> np.ndarray:
    """Return which positions, by row, see which others: (size, size)."""
    return np.tril(np.ones((size, size), bool))


def _decayed_scores(scores: Any, reached: Any) -> Any:
    """Return the scores of earlier positions, decayed by what lies between: (…, c, c)."""
    between = reached[..., :, None] - reached[..., None, :]
    seen = _order(reached.shape[-1])
    return scores * ops.exp(ops.where(seen, between, ops.full_like(between, ZERO_WEIGHT)))


def _decayed_to_end(value: Any, reached: Any) -> Any:
    """Return the values, decayed from their positions to the end of the chunk."""
    return value * ops.exp(reached[..., -1:] - reached)[..., None]


def _decayed_from_start(carried: Any, reached: Any) -> Any:
    """Return what queries read of the state before the chunk, decayed to their positions."""
    return carried * ops.exp(reached)[..., None]


def _carry(updates: Any, decays: Any, initial_state: Any) -> tuple[Any, Any]:
    """Return the state before each chunk, and the state after the last one.

    Shapes: updates (batch, groups, heads, chunks, d, v), decays (batch, groups, heads, chunks). The
    gradient is the same recurrence from the last chunk to the first, so that it needs no other
    storage than the states, and compiles on every backend.
    """

    @backend_functions().custom_gradient  # type: ignore[untyped-decorator]
    def carry(updates: Any, decays: Any, initial_state: Any) -> Any:
        before, last = _recur(updates, decays, initial_state)

        def gradient(d_before: Any, d_last: Any) -> Any:
            d_updates, d_initial = _recur(d_before, decays, d_last, reverse=True)
            return d_updates, ops.sum(d_updates * before, axis=(-2, -1)), d_initial

        return (before, last), gradient

    before, last = carry(ops.moveaxis(updates, 3, 0), ops.moveaxis(decays, 3, 0), initial_state)
    return ops.moveaxis(before, 0, 3), last


def _recur(updates: Any, decays: Any, state: Any, reverse: bool = False) -> tuple[Any, Any]:
    """Return the states before each of the updates along the first axis, and the last state."""

    def take(state: Any, chunk: Any) -> tuple[Any, Any]:
        update, decay = chunk
        return state * decay[..., None, None] + update, state

    last, before = ops.scan(take, state, (updates, decays), reverse=reverse)
    return before, last
