"""The decoding state of attention: the keys and values of all positions, or of a window.

A state has a place for each sink and a ring of the other places. Position p is at place p modulo
the size of the ring, so that a new position replaces the oldest one and nothing else moves. A ring
as long as the sequence holds all positions in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from baselines.layers.attention_blocks import (
    by_pair,
    num_heads_per_key,
    separate_heads,
    share_heads,
)
from baselines.layers.backends import backend_functions
from baselines.layers.masked_scores import mask_scores, softmax
from baselines.layers.places import require_places

State = tuple[Any, Any]
"""Keys and values, (batch, key/value heads, places, d) each."""
Sees = Callable[[Any, Any], Any]
"""Returns whether queries see keys, given how far back (m, k) and at which positions (k) keys are.

The result is (m, k), or (heads, m, k).
"""


def empty_state(batch_size: int, num_heads: int, places: int, size: int, dtype: Any) -> State:
    """Return zeros for keys and values of a number of places."""
    shape = (batch_size, num_heads, places, size)
    return ops.zeros(shape, dtype), ops.zeros(shape, dtype)


def is_start(position: Any) -> bool:
    """Return whether nothing precedes a position, known without computing anything."""
    return isinstance(position, int) and position == 0


def require_room(
    hidden_states: Any, state: State, position: Any, reach: int | None = None, num_sinks: int = 0
) -> Any:
    """Return hidden states of the newest positions, for which the state must have places.

    `reach` is how many positions queries see; None means all. A ring of as many places has room for
    any number of positions. Raises as `require_places` does.
    """
    ring = state[0].shape[2] - num_sinks
    if reach is not None and ring >= reach:
        return hidden_states
    return require_places(hidden_states, position, hidden_states.shape[1], ring)


def attend_with_state(
    projected: tuple[Any, Any, Any],
    state: State,
    position: Any,
    sees: Sees,
    distance_bias: Callable[[Any, int], Any] | None = None,
    num_sinks: int = 0,
    read: Callable[[Any, Any], State] | None = None,
) -> tuple[Any, State]:
    """Return attention of the newest positions, and the state with their keys and values.

    `projected` holds scaled queries, (batch, heads, m, d), and keys and values of the newest
    positions, which start at `position`. `distance_bias(first, count)` returns the bias of
    distances, or None. `read` turns the two parts of a state into keys and values.
    Time O(m · (places + m)).

    Queries read the state before it changes, so that a compiled loop writes one position in place.
    """
    query, key, value = projected
    length, num_places = query.shape[2], state[0].shape[2]
    held = _positions_held(num_places, num_sinks, position)
    newest = position + ops.arange(length)
    visible = [
        sees(newest[:, None] - places[None, :], places) & (places >= 0)[None, :]
        for places in (held, newest)
    ]
    biases = None
    if distance_bias is not None:
        biases = _distance_biases(distance_bias, position, length, held, num_sinks)
    parts = [state, (key, value)]
    if read is not None:
        parts = [read(*part) for part in parts]
    (held_keys, held_values), (keys, values) = parts
    heads = _attend(query, (held_keys, keys), (held_values, values), visible, biases)
    return heads, write_state(state, (key, value), position, num_sinks, heads)


def write_state(
    state: State, newest: State, position: Any, num_sinks: int = 0, heads: Any = None
) -> State:
    """Return a state with the keys and values of the newest positions in place of the oldest.

    `heads` is the attention computed from the old state, or None. Time O(1) for one position and
    O(places) for several.
    """
    num_new, num_places = newest[0].shape[2], state[0].shape[2]
    if num_new == 1:
        place = num_sinks + position % (num_places - num_sinks)
        if num_sinks:
            place = ops.where(position < num_sinks, position, place)
        if heads is not None:
            place = place + backend_functions().zero_after(heads)
        write = backend_functions().write_in_place
        keys, values = (
            write(part, (0, 0, place, 0), new) for part, new in zip(state, newest, strict=True)
        )
        return keys, values
    index = _positions_held(num_places, num_sinks, position + num_new) - position
    is_new = ((index >= 0) & (index < num_new))[None, None, :, None]
    index = ops.clip(index, 0, num_new - 1)
    keys, values = (
        ops.where(is_new, ops.take(new, index, axis=2), part)
        for part, new in zip(state, newest, strict=True)
    )
    return keys, values


def _positions_held(num_places: int, num_sinks: int, position: Any) -> Any:
    """Return the position at each place before `position`; a negative one is at an empty place."""
    size = num_places - num_sinks
    newest = position - 1
    ring = newest - ops.mod(newest - ops.arange(size), size)
    if not num_sinks:
        return ring
    sinks = ops.arange(num_sinks)
    return ops.concatenate(
        [ops.where(sinks < position, sinks, -1), ops.where(ring < num_sinks, -1, ring)]
    )


def _distance_biases(
    distance_bias: Callable[[Any, int], Any],
    position: Any,
    length: int,
    held: Any,
    num_sinks: int,
) -> tuple[Any, Any] | None:
    """Return the bias of held and of newest keys, (heads, m, k) each, or None."""
    among_newest = distance_bias(1 - length, 2 * length - 1)
    if among_newest is None:
        return None
    ring = held[num_sinks:]
    farthest = ring.shape[0] + length - 1
    index = ring[None, :] - (position + ops.arange(length))[:, None] + farthest
    # Empty places have any bias, because they are hidden.
    of_held = ops.take(distance_bias(-farthest, farthest + 1), ops.clip(index, 0, farthest), axis=1)
    if num_sinks:
        by_distance = distance_bias(1 - length - position, num_sinks + length - 1)
        of_sinks = by_pair(by_distance, length, num_sinks)
        of_held = ops.concatenate([of_sinks, of_held], axis=-1)
    return of_held, by_pair(among_newest, length, length)


def _attend(query: Any, keys: State, values: State, visible: list[Any], biases: Any) -> Any:
    """Return attention to the keys of two parts, whose masks are (m, k) or (heads, m, k)."""
    shared = num_heads_per_key(query, keys[0])
    # Keys come first in the product: TensorFlow would transpose all of them as the second factor.
    queries = ops.swapaxes(share_heads(query, shared), -1, -2)
    scores = [
        separate_heads(ops.swapaxes(ops.matmul(key, queries), -1, -2), shared) for key in keys
    ]
    if biases is not None:
        scores = [
            part + ops.cast(bias, part.dtype) for part, bias in zip(scores, biases, strict=True)
        ]
    scores = list(map(mask_scores, scores, visible))
    weights = ops.split(softmax(ops.concatenate(scores, axis=-1)), [keys[0].shape[2]], axis=-1)
    held, newest = (
        separate_heads(ops.matmul(share_heads(part, shared), value), shared)
        for part, value in zip(weights, values, strict=True)
    )
    return held + newest
