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

from baselines.layers.flops import CHUNK_LENGTH

SMALLEST = -1e30
"""The logarithm of a weight of 0."""


def scan_in_chunks(
    query: Any,
    key: Any,
    value: Any,
    log_decay: Any = None,
    initial_state: Any = None,
    chunk_length: int = CHUNK_LENGTH,
) -> tuple[Any, Any]:
    """Return the outputs of all positions, and the state after the last one.

    Shapes: query and key (batch, heads, n, d), value (batch, heads, n, v), log_decay (batch, heads,
    n) with values of at most 0, initial_state (batch, heads, d, v), zeros by default. The outputs
    are (batch, heads, n, v). Time O(n · (c · (d + v) + d · v)) for chunks of c positions, memory
    O(n · (c + d + v) + n · d · v / c). The graph does not grow with n.
    """
    length = query.shape[2]
    size = min(chunk_length, length)
    num_chunks = -(-length // size)
    query, key, value = (_split(part, num_chunks, size, length) for part in (query, key, value))
    order = np.tril(np.ones((size, size), bool))
    scores = ops.einsum("bhcid,bhcjd->bhcij", query, key)
    if log_decay is None:
        scores = ops.where(order, scores, ops.zeros_like(scores))
        updates = ops.einsum("bhcjd,bhcjv->bhcdv", key, value)
        after = ops.cumsum(updates, axis=2)
        before = after - updates
        if initial_state is not None:
            before, after = before + initial_state[:, :, None], after + initial_state[:, :, None]
        states, last = before, after[:, :, -1]
    else:
        decay = _split(log_decay[..., None], num_chunks, size, length)[..., 0]
        reached = ops.cumsum(decay, axis=-1)
        between = reached[..., :, None] - reached[..., None, :]
        scores = scores * ops.exp(ops.where(order, between, SMALLEST * ops.ones_like(between)))
        to_end = ops.exp(reached[..., -1:] - reached)
        updates = ops.einsum("bhcjd,bhcjv->bhcdv", key * to_end[..., None], value)
        if initial_state is None:
            initial_state = ops.zeros_like(updates[:, :, 0])
        states, last = _carry(updates, ops.exp(reached[..., -1]), initial_state)
        query = query * ops.exp(reached)[..., None]
    outputs = ops.matmul(scores, value) + ops.matmul(query, states)
    outputs = ops.reshape(outputs, (-1, value.shape[1], num_chunks * size, value.shape[-1]))
    return outputs[:, :, :length], last


def step(query: Any, key: Any, value: Any, log_decay: Any, state: Any) -> tuple[Any, Any]:
    """Return the output of one position and the state after it: the recurrence as defined.

    Shapes: query and key (batch, heads, d), value (batch, heads, v), log_decay (batch, heads) or
    None, state (batch, heads, d, v). Time O(d · v).
    """
    if log_decay is not None:
        state = state * ops.exp(log_decay)[..., None, None]
    state = state + key[..., :, None] * value[..., None, :]
    return ops.einsum("bhd,bhdv->bhv", query, state), state


def _split(part: Any, num_chunks: int, size: int, length: int) -> Any:
    """Return (batch, heads, chunks, positions, …), filled up with zeros, which add nothing."""
    padded = ops.pad(part, ((0, 0), (0, 0), (0, num_chunks * size - length), (0, 0)))
    return ops.reshape(padded, (-1, part.shape[1], num_chunks, size, part.shape[-1]))


def _carry(updates: Any, decays: Any, initial_state: Any) -> tuple[Any, Any]:
    """Return the state before each chunk, and the state after the last one."""

    def take(state: Any, chunk: Any) -> tuple[Any, Any]:
        update, decay = chunk
        return state * decay[..., None, None] + update, state

    chunks = ops.moveaxis(updates, 2, 0), ops.moveaxis(decays, 2, 0)
    last, before = ops.scan(take, initial_state, chunks)
    return ops.moveaxis(before, 0, 2), last
