"""The gated delta rule over positions, in parallel within chunks of them.

Yang, Kautz and Hatamizadeh 2025, "Gated Delta Networks: Improving Mamba2 with Delta Rule", section
3.1. A state of each head, S of shape (d, v), decays and then replaces the value of the newest key:

    S ← α_t S,  S ← S + k_t (β_t (v_t − Sᵀ k_t))ᵀ,  o_t = Sᵀ q_t

Within a chunk of c positions, let γ_i be the product of the decays up to i, and U the rows that the
positions add to the values of their keys. Then (I + A) U = diag(β) V − diag(βγ) K S for the state S
before the chunk, with A_ij = β_i (γ_i / γ_j) k_iᵀ k_j for j < i. One triangular inverse (the UT
transform, section 3.3) gives U for all positions of a chunk. Only S passes from chunk to chunk.

In Kimi Delta Attention, each channel of the keys has its own decay (Kimi team 2025, "Kimi Linear",
section 3): α_t is a diagonal matrix, and γ stands inside the products of keys.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.chunked_scan import sum_like
from baselines.layers.decays import (
    accumulate_decays,
    chunk_size,
    decayed_products,
    decays_between,
    decays_from_start,
    decays_of_chunk,
    decays_to_end,
)
from baselines.layers.fusing import fused
from baselines.layers.lengths import cut_end, is_known, missing_to_multiple, pad_end, scan

LENGTH_EPSILON = 1e-6
"""Added to the squared length of queries and keys before they are divided by their length."""
DELTA_CHUNK_LENGTH = 64
"""Positions in a chunk, as measured: the inverse costs more in longer ones, the loop in shorter."""


def scan_delta_rule(
    query: Any,
    key: Any,
    value: Any,
    log_decay: Any,
    strength: Any,
    initial_state: Any = None,
    chunk_length: int = DELTA_CHUNK_LENGTH,
) -> tuple[Any, Any]:
    """Return the outputs of all positions, and the state after the last one.

    Shapes: query and key (batch, n, groups, d), value (batch, n, heads, v), log_decay (log α, at
    most 0) (batch, n, heads), or (batch, n, heads, d) with a decay for each channel, strength (β,
    from 0 to 2) (batch, n, heads), initial_state (batch, heads, d, v),
    zeros by default. The outputs are (batch, n, heads, v). Keys should have a length of at most 1:
    with longer ones the state can grow without bound. Consecutive heads share the query and key of
    a group. A position with log α = 0 and β = 0 leaves the state unchanged. All is in float32.

    Time O(n · (c · (c + d + v) + d · v)) per head for chunks of c positions, memory O(n · (c + d +
    v) + n · d · v / c). The graph does not grow with n.
    """
    length, num_groups, key_size = ops.shape(key)[1:]
    num_heads, value_size = value.shape[2:]
    by_channel = len(log_decay.shape) == 4
    size = chunk_size(length, chunk_length, by_channel)
    missing = missing_to_multiple(length, size)
    num_chunks = (length + missing) // size

    def split(part: Any, *heads: int) -> Any:
        """Return (chunks, batch, heads, positions, …), filled up with zeros."""
        part = pad_end(part, missing, axis=1)
        rest = part.shape[3:]
        part = ops.reshape(part, (-1, num_chunks, size, heads[0] * heads[1], *rest))
        part = ops.transpose(part, (1, 0, 3, 2, 4)[: len(part.shape)])
        return ops.reshape(part, (num_chunks, -1, *heads, size, *rest))

    shared = num_heads // num_groups
    query, key = split(query, num_groups, 1), split(key, num_groups, 1)
    value = split(value, num_groups, shared)
    strength = split(strength, num_groups, shared)
    log_decay = split(log_decay, num_groups, shared)
    reached = accumulate_decays(log_decay if by_channel else log_decay[..., None])
    if by_channel:
        if shared > 1:
            query, key = (ops.repeat(part, shared, axis=3) for part in (query, key))
        weights, similarity = decayed_products([query, key], key, *reached)
        inside = fused(_strengthen)(similarity, strength)
    else:
        similarity, scores = _compare(key, key), _compare(query, key)
        inside, weights = fused(_weigh)(similarity, scores, *reached, strength)
    right, to_end, query = fused(_scale)(query, key, value, *reached, strength)
    values, keys = ops.split(_solve(inside, right), [value_size], axis=-1)
    state_shape = (-1, num_groups, shared, key_size, value_size)
    if initial_state is None:
        initial_state = ops.zeros((ops.shape(value)[1], *state_shape[1:]), "float32")
    before, added, last = _carry(
        values,
        keys,
        to_end,
        decays_of_chunk(*reached),
        ops.reshape(initial_state, state_shape),
    )
    outputs = ops.matmul(weights, added) + ops.matmul(query, before)
    outputs = ops.reshape(outputs, (num_chunks, -1, num_heads, size, value_size))
    outputs = ops.transpose(outputs, (1, 0, 3, 2, 4))
    outputs = ops.reshape(outputs, (-1, num_chunks * size, num_heads, value_size))
    return cut_end(outputs, length, axis=1), ops.reshape(
        last, (-1, num_heads, key_size, value_size)
    )


def scan_transitions(
    query: Any,
    key: Any,
    value: Any,
    removed: Any,
    replaced: Any,
    log_decay: Any,
    initial_state: Any = None,
    chunk_length: int = DELTA_CHUNK_LENGTH,
) -> tuple[Any, Any]:
    """Return the outputs of all positions, and the state after the last one, of a general rule.

    Peng et al. 2025, "RWKV-7", equation 17: S ← diag(α) S − b (Sᵀ κ)ᵀ + k vᵀ, where Sᵀ κ reads the
    state before it decays, and o = Sᵀ q. Shapes: query, key, `removed` (κ), `replaced` (b) and
    log_decay (log α, by channel) (batch, n, heads, d), value (batch, n, heads, v), initial_state
    (batch, heads, d, v), zeros by default. The outputs are (batch, n, heads, v). A decay should not
    be 0: κ is divided by it. Costs as of `scan_delta_rule`, with twice the rows in a chunk.
    """
    length, num_heads, key_size = ops.shape(key)[1:]
    value_size = value.shape[-1]
    size = chunk_size(length, chunk_length, by_channel=True)
    missing = missing_to_multiple(length, size)
    num_chunks = (length + missing) // size

    def split(part: Any) -> Any:
        """Return (chunks, batch, heads, positions, …), filled up with zeros."""
        part = pad_end(part, missing, axis=1)
        part = ops.reshape(part, (-1, num_chunks, size, num_heads, part.shape[-1]))
        return ops.transpose(part, (1, 0, 3, 2, 4))

    query, key, value, removed, replaced, log_decay = map(
        split, (query, key, value, removed, replaced, log_decay)
    )
    reached = accumulate_decays(log_decay)
    # The state is read before it decays, so that the decay of the position itself is undone.
    removed = removed * ops.exp(-log_decay)
    weights, inside = decayed_products([query, removed], replaced, *reached)
    others, added_inside = decayed_products([query, removed], key, *reached)
    earlier = np.tril(np.ones((size, size), bool), -1)
    inside, added_inside = (ops.where(earlier, part, 0.0) for part in (inside, added_inside))
    from_start, to_end = decays_from_start(*reached), decays_to_end(*reached)
    right = ops.concatenate([ops.matmul(added_inside, value), removed * from_start], axis=-1)
    values, keys = ops.split(_solve(inside, right), [value_size], axis=-1)
    if initial_state is None:
        initial_state = ops.zeros((ops.shape(value)[1], num_heads, key_size, value_size))
    before, added, last = _carry(
        ops.concatenate([-values, value], axis=-2),
        ops.concatenate([keys, ops.zeros_like(keys)], axis=-2),
        ops.concatenate([replaced * to_end, key * to_end], axis=-2),
        decays_of_chunk(*reached),
        initial_state,
    )
    outputs = ops.matmul(ops.concatenate([weights, others], axis=-1), added)
    outputs = outputs + ops.matmul(query * from_start, before)
    outputs = ops.transpose(outputs, (1, 0, 3, 2, 4))
    outputs = ops.reshape(outputs, (-1, num_chunks * size, num_heads, value_size))
    return cut_end(outputs, length, axis=1), last


def continue_delta_rule(
    parts: tuple[Any, Any, Any, Any, Any], state: Any, chunk_length: int
) -> tuple[Any, Any]:
    """Return what `scan_delta_rule` does: in one step where one position continues a state."""
    length = ops.shape(parts[0])[1]
    if state is None or not is_known(length) or length > 1:
        return scan_delta_rule(*parts, state, chunk_length)
    outputs, last = apply_delta_rule(*(part[:, 0] for part in parts), state=state)
    return outputs[:, None], last


def apply_delta_rule(
    query: Any, key: Any, value: Any, log_decay: Any, strength: Any, *, state: Any
) -> tuple[Any, Any]:
    """Return the output of one position, and the state after it.

    Shapes: as in `scan_delta_rule`, without n. Time O(d · v) per head.
    """
    axes = (None,) * (4 - len(log_decay.shape))
    shared = value.shape[1] // key.shape[1]
    query, key = (ops.repeat(part, shared, axis=1) for part in (query, key))
    state = state * ops.exp(log_decay)[(..., *axes)]
    known = ops.einsum("bhd,bhdv->bhv", key, state)
    added = (value - known) * strength[..., None]
    state = state + key[..., :, None] * added[..., None, :]
    return ops.einsum("bhd,bhdv->bhv", query, state), state


def with_unit_length(vectors: Any) -> Any:
    """Return vectors divided by their length."""
    squared = ops.sum(vectors * vectors, axis=-1, keepdims=True)
    return vectors * ops.rsqrt(squared + LENGTH_EPSILON)


def _compare(left: Any, right: Any) -> Any:
    """Return the products of all rows, without a transposed copy: (…, n, d), (…, m, d)."""
    axes = "abcdefg"[: len(left.shape) - 2]
    return ops.einsum(f"{axes}nx,{axes}mx->{axes}nm", left, right)


def _weigh(similarity: Any, scores: Any, coarse: Any, fine: Any, strength: Any) -> tuple[Any, Any]:
    """Return A, and the weights of the added values in the outputs: (…, c, c) each."""
    size = fine.shape[-2]
    earlier, present = (np.tril(np.ones((size, size), bool), shift) for shift in (-1, 0))
    decays = decays_between(coarse, fine, present)
    inside = similarity * ops.where(earlier, decays, 0.0) * strength[..., None]
    return inside, scores * decays


def _strengthen(similarity: Any, strength: Any) -> Any:
    """Return A from the decayed products of keys with keys up to their position."""
    size = similarity.shape[-1]
    earlier = np.tril(np.ones((size, size), bool), -1)
    return ops.where(earlier, similarity, 0.0) * strength[..., None]


def _scale(
    query: Any, key: Any, value: Any, coarse: Any, fine: Any, strength: Any
) -> tuple[Any, Any, Any]:
    """Return diag(β) V beside diag(βγ) K, the keys decayed to the chunk's end, and diag(γ) Q."""
    decays = decays_from_start(coarse, fine)
    strength = strength[..., None]
    right = ops.concatenate([value * strength, key * (strength * decays)], axis=-1)
    return right, key * decays_to_end(coarse, fine), query * decays


def _solve(inside: Any, right: Any) -> Any:
    """Return the solution X of (I + A) X = R for strictly lower triangular A.

    Shapes: A (…, c, c), R (…, c, m). With T = (I + A)⁻¹, the gradient of R is Tᵀ dX, and that of A
    is −dR Xᵀ.
    """

    @backend_functions().custom_gradient  # type: ignore[untyped-decorator]
    def solve(inside: Any, right: Any) -> Any:
        unit = ops.eye(inside.shape[-1], dtype="float32")
        inverse = ops.solve_triangular(inside + unit, ops.zeros_like(inside) + unit, lower=True)
        solution = ops.matmul(inverse, right)

        def gradient(upstream: Any) -> Any:
            d_right = ops.matmul(ops.swapaxes(inverse, -1, -2), upstream)
            return -_compare(d_right, solution), d_right

        return (solution,), gradient

    return solve(inside, right)[0]


def _carry(values: Any, keys: Any, to_end: Any, decays: Any, state: Any) -> tuple[Any, Any, Any]:
    """Return the states before the chunks, the values U that they add, and the last state.

    Shapes: values (chunks, …, c, v), keys and to_end (chunks, …, c, d), decays (chunks, …, 1 or d,
    1). U is values − keys S, and the next state decays · S + to_endᵀ U. The gradient is a
    recurrence from the last chunk to the first, which needs only the states before the chunks and
    U.
    """

    @backend_functions().custom_gradient  # type: ignore[untyped-decorator]
    def carry(values: Any, keys: Any, to_end: Any, decays: Any, state: Any) -> Any:
        before, added, last = fused(_recur)(values, keys, to_end, decays, state)

        def gradient(d_before: Any, d_added: Any, d_last: Any) -> Any:
            d_after, d_values, d_state = fused(_recur_back)(
                d_before, d_added, keys, to_end, decays, d_last
            )
            return (
                d_values,
                -_compare(d_values, before),
                _compare(added, d_after),
                sum_like(d_after * before, decays),
                d_state,
            )

        return (before, added, last), gradient

    return carry(values, keys, to_end, decays, state)  # type: ignore[no-any-return]


def _recur(values: Any, keys: Any, to_end: Any, decays: Any, state: Any) -> tuple[Any, Any, Any]:
    """Return what `_carry` does."""

    def step(carried: Any, chunk: Any) -> tuple[Any, Any]:
        state, _ = carried
        values, keys, to_end, decay = chunk
        added = values - ops.matmul(keys, state)
        return (_next(state, decay, to_end, added), added), (state, added)

    # On TensorFlow, what a scan returns must have the structure of what it carries.
    start = state, ops.zeros_like(values[0])
    (last, _), (before, added) = scan(step, start, (values, keys, to_end, decays))
    return before, added, last


def _recur_back(
    d_before: Any, d_added: Any, keys: Any, to_end: Any, decays: Any, d_last: Any
) -> tuple[Any, Any, Any]:
    """Return the gradients of the states after the chunks, of U, and of the first state."""

    def step(carried: Any, chunk: Any) -> tuple[Any, Any]:
        d_after, _ = carried
        d_before, d_added, keys, to_end, decay = chunk
        d_added = d_added + ops.matmul(to_end, d_after)
        d_state = d_before + _next(d_after, decay, keys, -d_added)
        return (d_state, d_added), (d_after, d_added)

    start = d_last, ops.zeros_like(d_added[0])
    chunks = d_before, d_added, keys, to_end, decays
    (d_state, _), (d_after, d_values) = scan(step, start, chunks, reverse=True)
    return d_after, d_values, d_state


def _next(state: Any, decay: Any, keys: Any, values: Any) -> Any:
    """Return the decayed state plus keysᵀ values."""
    return state * decay + ops.matmul(ops.swapaxes(keys, -1, -2), values)
