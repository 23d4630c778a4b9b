"""The selective scan of Mamba: a state whose decay differs between channels and their numbers.

Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces". The state of a
channel has S numbers: h_t = exp(Δ_t A) h_{t-1} + Δ_t x_t B_t, read as y_t = C_t · h_t, for rates A
of each channel and number. Weights between two positions would differ for each channel, so that no
matrix product compares the positions of a chunk. All chunks advance at once instead, position by
position: first from zeros, for the states between chunks, and then from these.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.lengths import cut_end, is_known, missing_to_multiple, pad_end, scan

SELECTIVE_CHUNK_LENGTH = 16
"""Positions in a chunk: each has operations of its own in the graph."""


def scan_selectively(
    inputs: Any,
    sizes: Any,
    rates: Any,
    keys: Any,
    queries: Any,
    initial_state: Any = None,
    chunk_length: int = SELECTIVE_CHUNK_LENGTH,
) -> tuple[Any, Any]:
    """Return the outputs of all positions, and the state after the last one.

    Shapes: inputs x and step sizes Δ (batch, n, channels), rates A < 0 (channels, S), keys B and
    queries C (batch, n, S), states (batch, channels, S), zeros by default. The outputs are (batch,
    n, channels). Time O(n · S) per channel in c + n / c steps for chunks of c positions. The graph
    does not grow with n.
    """
    length = ops.shape(inputs)[1]
    size = min(chunk_length, length) if is_known(length) else chunk_length
    chunked = [_in_chunks(part, length, size) for part in (inputs * sizes, sizes, keys, queries)]
    added, sizes, keys, queries = chunked

    def advance(state: Any, place: int) -> Any:
        """Return the states of all chunks, (batch, chunks, channels, S), after a position."""
        decay = ops.exp(sizes[:, :, place, :, None] * rates)
        return state * decay + added[:, :, place, :, None] * keys[:, :, place, None, :]

    state = ops.zeros_like(added[:, :, 0, :, None] * rates)
    if initial_state is None:
        initial_state = state[:, 0]
    if is_known(length) and length == size:
        state = initial_state[:, None]
    else:
        for place in range(size):
            state = advance(state, place)
        decays = ops.exp(ops.sum(sizes, axis=2)[..., None] * rates)
        state = _states_before(state, decays, initial_state)
    outputs = []
    for place in range(size):
        state = advance(state, place)
        outputs.append(ops.sum(state * queries[:, :, place, None, :], axis=-1))
    flat = ops.reshape(ops.stack(outputs, axis=2), (-1, _count(added), inputs.shape[-1]))
    return cut_end(flat, length, 1), state[:, -1]


def _in_chunks(part: Any, length: Any, size: int) -> Any:
    """Return (batch, n, …) as (batch, chunks, positions of a chunk, …), filled with zeros."""
    padded = pad_end(part, missing_to_multiple(length, size), 1)
    chunks = ops.shape(padded)[1] // size
    return ops.reshape(padded, (-1, chunks, size, padded.shape[-1]))


def _count(chunked: Any) -> Any:
    """Return the number of positions of all chunks."""
    return ops.shape(chunked)[1] * ops.shape(chunked)[2]


def _states_before(updates: Any, decays: Any, initial_state: Any) -> Any:
    """Return the state before each chunk; updates and decays are (batch, chunks, channels, S)."""

    def take(state: Any, chunk: Any) -> tuple[Any, Any]:
        update, decay = chunk
        return state * decay + update, state

    by_chunk = [ops.moveaxis(part, 1, 0) for part in (updates, decays)]
    _, before = scan(take, initial_state, by_chunk)
    return ops.moveaxis(before, 0, 1)
