"""Axes of unknown length: a traced call sees tensors on TensorFlow, and numbers elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops


def is_known(*lengths: Any) -> bool:
    """Return whether all lengths are numbers, not tensors."""
    return all(isinstance(length, int) for length in lengths)


def pad_end(states: Any, missing: Any, axis: int) -> Any:
    """Return states with zeros, or False, after the end of an axis: as many as are missing."""
    if is_known(missing) and missing == 0:
        return states
    widths: list[Any] = [(0, 0)] * len(states.shape)
    widths[axis] = (0, missing)
    return ops.pad(states, widths)


def cut_end(states: Any, length: Any, axis: int) -> Any:
    """Return the first positions of an axis, without a copy if these are known to be all."""
    if is_known(length) and states.shape[axis] == length:
        return states
    return states[(slice(None),) * axis + (slice(0, length),)]


def keep_last(states: Any, count: int) -> Any:
    """Return the last positions of (batch, n, …), at most `count`."""
    first = ops.shape(states)[1] - count
    return states[:, max(0, first) if is_known(first) else ops.maximum(0, first) :]


def missing_to_multiple(length: Any, factor: int) -> Any:
    """Return how many positions a length lacks to the next multiple of a factor."""
    return -length % factor if is_known(length) else ops.mod(-length, factor)


def check_length(length: Any, max_length: int) -> None:
    """Raise a ValueError if a sequence is known to be longer than a model."""
    if is_known(length) and length > max_length:
        raise ValueError(
            f"The model has {max_length} positions. Received: a sequence of {length}. "
            "Build the model for the longer sequence."
        )


def scan(
    step: Callable[[Any, Any], Any], start: Any, parts: Sequence[Any], reverse: bool = False
) -> Any:
    """Return what `keras.ops.scan` does; on TensorFlow that takes one array of unknown length."""
    count = ops.shape(parts[0])[0]
    if is_known(count):
        return ops.scan(step, start, tuple(parts), reverse=reverse)

    def step_at(carried: Any, index: Any) -> Any:
        return step(carried, tuple(part[index] for part in parts))

    return ops.scan(step_at, start, ops.arange(count), reverse=reverse)


def running_maximum(values: Any) -> Any:
    """Return the largest of the values so far along the last axis, for use without a gradient.

    Time O(n · log n) and memory O(n).
    """
    length = ops.shape(values)[-1]
    if is_known(length):
        found = ops.associative_scan(ops.maximum, values, axis=-1)
        return ops.reshape(found, (-1, *values.shape[1:]))  # TensorFlow forgets the shape
    padded = ops.zeros_like(values) - np.inf

    def double(found: Any, reach: Any) -> tuple[Any, Any]:
        earlier = ops.concatenate([padded[..., :reach], found[..., : length - reach]], axis=-1)
        return ops.maximum(found, earlier), 2 * reach

    return ops.while_loop(lambda found, reach: reach < length, double, (values, 1))[0]
