"""Decoding of a mixer or a stack in parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from keras import ops


def part_stops(length: int) -> list[int]:
    """Return the ends of parts: of three positions, of single ones, of the rest, of the last."""
    return sorted({*range(min(3, length), min(9, length)), length - 1, length} - {0})


def decode_parts(
    layer: Any,
    states: np.ndarray,
    stops: Iterable[int] | None = None,
    max_length: int | None = None,
) -> tuple[np.ndarray, Any]:
    """Return the outputs of parts that end at `stops`, joined, and the last state."""
    length = states.shape[1]
    state = layer.init_state(len(states), length if max_length is None else max_length)
    found, start = [], 0
    for stop in part_stops(length) if stops is None else stops:
        newest = ops.convert_to_tensor(states[:, start:stop])
        part, state = layer.decode_step(newest, state, start)
        found.append(ops.convert_to_numpy(part))
        start = stop
    return np.concatenate(found, axis=1), state
