"""What each position of a trained model sees: one example, one position exchanged at a time.

Attention weights are no common measure: blocks, bands, buckets and memories keep theirs in other
shapes, layers compose them, and some mechanisms have none. What happens to the hidden states when
the input of one position is exchanged can be asked of any model (occlusion: Zeiler and Fergus 2014,
"Visualizing and Understanding Convolutional Networks", section 4.2), and shows the same things: the
whole square of full attention, the band of a window, scattered buckets, what a memory carries.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from suite.api import MASKS, Examples

MAX_POSITIONS = 64
"""So many positions are exchanged, evenly spread, and into so many groups the outputs are put."""
ROWS_AT_ONCE = 8
AMONG = 50
"""The longest of so many examples is looked at."""


def occlusion_map(model: Any, examples: Examples) -> dict[str, Any]:
    """Return how far exchanging an input moves each output, relative to the largest move.

    `map` is (inputs, outputs) in bytes of 0 to 255, base64; `inputs` are the positions exchanged,
    `outputs` the first position of each group, whose largest move counts. At most 65 forward passes
    of one sequence.
    """
    real = np.asarray(examples.features["padding_mask"][:AMONG])
    row = int(real.sum(axis=1).argmax())
    length = int(real[row].sum())
    donor = (row + 1) % len(real)
    inputs = np.unique(np.linspace(0, length - 1, min(length, MAX_POSITIONS)).astype(int))
    starts = np.unique(np.linspace(0, length, min(length, MAX_POSITIONS) + 1).astype(int))[:-1]
    features = {name: np.asarray(array[row]) for name, array in examples.features.items()}
    other = {name: np.asarray(array[donor]) for name, array in examples.features.items()}
    there = max(1, int(real[donor].sum()))
    before = _hidden_states(model, [features], length)[0]
    moves = []
    for first in range(0, len(inputs), ROWS_AT_ONCE):
        exchanged = [
            _exchange(features, other, int(position), int(position) % there)
            for position in inputs[first : first + ROWS_AT_ONCE]
        ]
        for after in _hidden_states(model, exchanged, length):
            distance = np.linalg.norm(after - before, axis=-1)
            moves.append(np.maximum.reduceat(distance, starts))
    moved = np.array(moves)
    largest = float(moved.max())
    scaled = np.round(255 * moved / largest if largest > 0 else moved).astype(np.uint8)
    return {
        "inputs": inputs.tolist(),
        "outputs": starts.tolist(),
        "map": base64.b64encode(scaled.tobytes()).decode(),
    }


def _hidden_states(model: Any, rows: Sequence[Mapping[str, np.ndarray]], length: int) -> np.ndarray:
    """Return (rows, length, width): the real positions' hidden states, no extra ones."""
    batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    hidden_states = ops.convert_to_numpy(ops.cast(model.hidden_states(batch), "float32"))
    extra = getattr(model.backbone, "extra_positions", 0)
    found: np.ndarray = hidden_states[:, extra : extra + length]
    return found


def _exchange(
    features: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], position: int, place: int
) -> dict[str, np.ndarray]:
    """Return the features with one position's input taken from another example's."""
    changed = {name: array.copy() for name, array in features.items()}
    for name, array in changed.items():
        if name not in MASKS and not name.endswith("_mask") and array.ndim:
            array[position] = other[name][place]
    return changed
