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
from baselines.layers.lengths import cut_end, is_known, missing_to_multiple, pad_end, scan

ZERO_WEIGHT = -1e30
"""The logarithm of a weight that is 0 in float32."""
STEPS_PER_UNIT = 64
"""The resolution of the exact part of a sum of logarithms: exact up to 2^24 / 64 = 262,144."""
STRONGEST_DECAY = -128.0
"""The least logarithm of a decay that is summed. Below -104 a decay is 0 in float32 anyway."""
LONGEST_CHUNK = 2048
"""The most positions whose strongest decays still have an exact sum: 2,048 · 128 = 262,144."""


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

    Raises:
        ValueError: there are decays, and the chunks are longer than `LONGEST_CHUNK`.
    """
    num_groups, num_heads = query.shape[1], value.shape[1]
    length = ops.shape(query)[2]
    size = min(chunk_length, length) if is_known(length) else chunk_length

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
        reached = accumulate_decays(split(log_decay[..., None], num_heads)[..., 0])
        weights = fused(_decayed_scores)(scores, *reached)
        to_end = fused(_decayed_to_end)(value, *reached)
        updates = ops.einsum("bgcjd,bgrcjv->bgrcdv", key, to_end)
        if initial_state is None:
            initial_state = ops.zeros_like(updates[:, :, :, 0])
        decays = ops.exp(reached[0][..., -1] + reached[1][..., -1])
        before, last = _carry(updates, decays, initial_state)
        carried = ops.einsum("bgcid,bgrcdv->bgrciv", query, before)
        carried = fused(_decayed_from_start)(carried, *reached)
    outputs = ops.matmul(weights, value) + carried
    num_chunks = ops.shape(outputs)[3]
    outputs = ops.reshape(outputs, (-1, num_heads, num_chunks * size, value.shape[-1]))
    return cut_end(outputs, length, axis=2), ops.reshape(last, (-1, num_heads, *last.shape[3:]))


def _order(size: int) -> np.ndarray:
    """Return which positions, by row, see which others: (size, size)."""
    return np.tril(np.ones((size, size), bool))


def accumulate_decays(log_decay: Any) -> tuple[Any, Any]:
    """Return the sums of logarithms up to each position, in two parts: coarse and fine.

    A sum of strong decays in float32 rounds away a weak decay that follows. The sums of the coarse
    parts, which are multiples of 1 / `STEPS_PER_UNIT`, are exact, and those of the fine ones small.
    A decay whose logarithm is below `STRONGEST_DECAY`, even −∞, is 0 as it would be without sums.

    Raises:
        ValueError: the chunk is longer than `LONGEST_CHUNK`.
    """
    if log_decay.shape[-1] > LONGEST_CHUNK:
        raise ValueError(
            f"Sums of decays are exact in chunks of at most {LONGEST_CHUNK} positions. "
            f"Received: chunk_length={log_decay.shape[-1]}. Use shorter chunks."
        )
    log_decay = ops.maximum(log_decay, STRONGEST_DECAY)
    coarse = ops.stop_gradient(ops.round(log_decay * STEPS_PER_UNIT) / STEPS_PER_UNIT)
    return ops.cumsum(coarse, axis=-1), ops.cumsum(log_decay - coarse, axis=-1)


def decays_between(coarse: Any, fine: Any, seen: np.ndarray) -> Any:
    """Return the decay from each position to each later one, 0 where not seen: (…, c, c)."""
    between = coarse[..., :, None] - coarse[..., None, :]
    between = between + (fine[..., :, None] - fine[..., None, :])
    return ops.exp(ops.where(seen, between, ops.full_like(between, ZERO_WEIGHT)))


def decays_to_end(coarse: Any, fine: Any) -> Any:
    """Return the decay from each position to the end of the chunk: (…, c, 1)."""
    return ops.exp((coarse[..., -1:] - coarse) + (fine[..., -1:] - fine))[..., None]


def _decayed_scores(scores: Any, coarse: Any, fine: Any) -> Any:
    """Return the scores of earlier positions, decayed by what lies between: (…, c, c)."""
    return scores * decays_between(coarse, fine, _order(fine.shape[-1]))


def _decayed_to_end(value: Any, coarse: Any, fine: Any) -> Any:
    """Return the values, decayed from their positions to the end of the chunk."""
    return value * decays_to_end(coarse, fine)


def _decayed_from_start(carried: Any, coarse: Any, fine: Any) -> Any:
    """Return what queries read of the state before the chunk, decayed to their positions."""
    return carried * ops.exp(coarse + fine)[..., None]


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

    last, before = scan(take, state, (updates, decays), reverse=reverse)
    return before, last
