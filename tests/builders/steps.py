"""Decoding of a mixer or a stack in parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from keras import ops


def decode_parts(
    layer: Any, states: np.ndarray, stops: Iterable[int], max_length: int | None = None
) -> tuple[np.ndarray, Any]:
    """Return the outputs of parts that end at `stops`, joined, and the last state."""
    length = states.shape[1] if max_length is None else max_length
    state, found, start = layer.init_state(len(states), length), [], 0
    for stop in stops:
        newest = ops.convert_to_tensor(states[:, start:stop])
        part, state = layer.decode_step(newest, state, start)
        found.append(ops.convert_to_numpy(part))
        start = stop
    return np.concatenate(found, axis=1), state
