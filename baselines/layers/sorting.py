"""Sorting positions by bucket, and moving rows to sorted order and back.

Row numbers are int32. They overflow at 2³¹ rows; in float32, so many rows of width d take 8·d GiB,
so that memory runs out first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.lengths import is_known

MAX_INT32 = int(np.iinfo("int32").max)


def sort_by_bucket(buckets: Any, num_buckets: int) -> tuple[Any, Any]:
    """Return the positions in order of bucket, then place, and their buckets in that order.

    In and out: (…, n), int32; buckets are from 0 to `num_buckets` − 1. Time O(n · log n).
    """
    length = ops.shape(buckets)[-1]
    if is_known(length) and num_buckets * length - 1 <= MAX_INT32:
        # One number holds bucket and place: a single sort gives both.
        keys = ops.sort(buckets * length + ops.arange(length, dtype="int32"), axis=-1)
        return keys % length, keys // length
    # The product would overflow, or could. A stable sort by bucket keeps the order of places.
    order = ops.cast(ops.argsort(buckets, axis=-1), "int32")
    return order, ops.take_along_axis(buckets, order, axis=-1)


def row_numbers(places: Any, length: int) -> Any:
    """Return the row numbers, in (batch, length, heads, …), of places (batch, heads, …)."""
    ends = (1,) * (len(places.shape) - 2)
    heads = places.shape[1]
    example = ops.reshape(ops.arange(ops.shape(places)[0], dtype="int32"), (-1, 1, *ends))
    head = ops.reshape(ops.arange(heads, dtype="int32"), (1, -1, *ends))
    return (example * length + places) * heads + head


def take_rows(states: Any, rows: Any) -> Any:
    """Return rows along the last axis, selected by their number among all rows."""
    return ops.take(ops.reshape(states, (-1, states.shape[-1])), rows, axis=0)


class SortPermutation:
    """Moves rows to sorted order and back; each move is the gradient of the other.

    The gradient that a backend derives for a gather adds rows one by one, which takes longer than
    the attention itself.

    In: the order (batch, heads, rounds, n), as `sort_by_bucket` returns it. Time O(rounds · n · log
    n), and O(rounds · n) for a move; memory O(rounds · n).
    """

    def __init__(self, order: Any) -> None:
        batch, heads, rounds, length = ops.shape(order)
        # Rows of (batch, n, heads), in sorted order: (batch, heads, rounds · n).
        to_sorted = row_numbers(order, length)
        self._to_sorted = ops.reshape(to_sorted, (-1, heads, rounds * length))
        # Rows of (batch, heads, rounds, n), in order of place: (batch, n, heads, rounds).
        inverse = ops.cast(ops.argsort(order, axis=-1), "int32")
        first = ops.arange(batch * heads * rounds, dtype="int32") * length
        to_places = inverse + ops.reshape(first, (-1, heads, rounds, 1))
        self._to_places = ops.transpose(to_places, (0, 3, 1, 2))
        # Rows of (batch, n, heads, rounds), in sorted order.
        number = ops.reshape(ops.arange(rounds, dtype="int32"), (1, 1, rounds, 1))
        self._back = ops.reshape(to_sorted * rounds + number, (-1, heads, rounds * length))

    def sort(self, states: Any) -> Any:
        """Return (batch, n, heads, d) in sorted order: (batch, heads, rounds · n, d)."""

        def move(states: Any) -> Any:
            return (take_rows(states, self._to_sorted),), lambda upstream: (
                ops.sum(take_rows(upstream, self._to_places), axis=3),
            )

        return backend_functions().custom_gradient(move)(states)[0]

    def unsort(self, states: Any) -> Any:
        """Return (batch, heads, rounds · n, d) in order of place: (batch, n, heads, rounds, d)."""

        def move(states: Any) -> Any:
            return (take_rows(states, self._to_places),), lambda upstream: (
                take_rows(upstream, self._back),
            )

        return backend_functions().custom_gradient(move)(states)[0]
