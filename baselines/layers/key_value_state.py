"""The decoding state of attention: the keys and values of all positions, or of a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from baselines.layers.attention import attend
from baselines.layers.attention_blocks import HIDDEN, Pattern, Span, by_pair, mask_to_bias

State = tuple[Any, Any]
"""Keys and values, (batch, key/value heads, positions, d) each."""


def empty_state(batch_size: int, num_heads: int, length: int, size: int, dtype: Any) -> State:
    """Return zeros for keys and values of `length` positions."""
    shape = (batch_size, num_heads, length, size)
    return ops.zeros(shape, dtype), ops.zeros(shape, dtype)


def attend_with_state(
    projected: tuple[Any, Any, Any],
    state: State,
    position: Any,
    sees: Callable[[Any], Any],
    distance_bias: Callable[[Any, int], Any] | None = None,
) -> tuple[Any, State]:
    """Return attention of the newest positions, and the state with their keys and values.

    `projected` holds scaled queries, (batch, heads, m, d), and keys and values of the newest
    positions. `sees` returns whether a distance to the left, (m, max_length), is visible.
    `distance_bias(first, count)` returns the bias of distances, or None. Time O(m · max_length).
    """
    query, key, value = projected
    start = (0, 0, position, 0)
    keys, values = ops.slice_update(state[0], start, key), ops.slice_update(state[1], start, value)
    num_queries, num_keys = query.shape[2], keys.shape[2]
    places = position + ops.arange(num_queries)
    visible = sees(places[:, None] - ops.arange(num_keys)[None, :])
    mask = mask_to_bias(visible, query.dtype)
    bias = _bias(distance_bias, Span(position, num_queries), [Span(0, num_keys)], query.dtype)
    return attend(query, keys, values, mask, bias), (keys, values)


def attend_with_window_state(
    projected: tuple[Any, Any, Any],
    state: State,
    position: Any,
    pattern: Pattern,
    distance_bias: Callable[[Any, int], Any],
) -> tuple[Any, State]:
    """Do the same as `attend_with_state`, where the state holds the sinks and a window.

    The first `num_sinks` places hold the first positions, the others the newest ones in order. Time
    O(m · (window + sinks + m)), independent of the length.
    """
    query, *newest = projected
    num_queries, num_sinks = query.shape[2], pattern.num_sinks
    held = state[0].shape[2] - num_sinks
    keys, values = (ops.concatenate(parts, axis=2) for parts in zip(state, newest, strict=True))
    spans = [Span(0, num_sinks), Span(position - held, held + num_queries)]
    spans = spans if num_sinks else spans[1:]
    places = pattern.key_places(spans)
    places = ops.where(places < 0, HIDDEN, places)  # no position has been there yet
    visible = pattern.sees(position + ops.arange(num_queries), places)
    mask = mask_to_bias(visible, query.dtype)
    bias = _bias(distance_bias, Span(position, num_queries), spans, query.dtype)
    heads = attend(query, keys, values, mask, bias)
    kept = [_keep(part, new, position, num_sinks) for part, new in zip(state, newest, strict=True)]
    return heads, (kept[0], kept[1])


def _keep(held: Any, newest: Any, position: Any, num_sinks: int) -> Any:
    """Return a state's keys, or values, with the newest ones in place of the oldest."""
    num_new = newest.shape[2]
    window = ops.concatenate([held[:, :, num_sinks:], newest], axis=2)[:, :, num_new:]
    if not num_sinks:
        return window
    index = ops.arange(num_sinks) - position
    found = ops.take(newest, ops.clip(index, 0, num_new - 1), axis=2)
    is_new = ((index >= 0) & (index < num_new))[None, None, :, None]
    return ops.concatenate([ops.where(is_new, found, held[:, :, :num_sinks]), window], axis=2)


def _bias(
    distance_bias: Callable[[Any, int], Any] | None, queries: Span, keys: list[Span], dtype: Any
) -> Any:
    """Return the bias of some queries and keys, (heads, queries, keys), or None."""
    if distance_bias is None:
        return None
    parts = []
    for span in keys:
        count = queries.size + span.size - 1
        found = distance_bias(span.start - queries.start - queries.size + 1, count)
        if found is None:
            return None
        parts.append(by_pair(found, queries.size, span.size))
    return ops.cast(ops.concatenate(parts, axis=-1), dtype)
