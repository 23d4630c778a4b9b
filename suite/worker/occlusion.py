"""Occlusion maps: the effect of replacing one input position on every output position.

Attention weights are not comparable across architectures: blocks, bands, buckets and memories
store them in different shapes, layers compose them, and some mechanisms have none. Occlusion
(Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2)
applies to every model. An occlusion map shows the full square of full attention, the band of a
window, scattered buckets, and the reach of a memory.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from suite.api import MASKS, Examples
from suite.worker.backends import backend

MAX_POSITIONS = 64
"""The most input positions that are replaced, evenly spread, and the most groups of outputs."""
NUM_CANDIDATES = 50
"""The longest of these first examples is the one whose positions are replaced."""


def occlusion_map(model: Any, examples: Examples, batch_size: int) -> dict[str, Any]:
    """Return the change of each output when an input is replaced, relative to the largest change.

    `map` is (inputs, outputs) in bytes of 0 to 255, base64. `inputs` are the replaced positions.
    `outputs` are the first positions of the groups; the largest change in a group counts. The map
    takes at most 65 forward passes of one sequence, `batch_size` at a time. With the batch size of
    the predictions, the kernels that XLA compiled for them are used again.
    """
    real = np.asarray(examples.features["padding_mask"][:NUM_CANDIDATES])
    row = int(real.sum(axis=1).argmax())
    length = int(real[row].sum())
    donor = (row + 1) % len(real)
    inputs = np.unique(np.linspace(0, length - 1, min(length, MAX_POSITIONS)).astype(int))
    starts = np.unique(np.linspace(0, length, min(length, MAX_POSITIONS) + 1).astype(int))[:-1]
    features = {name: np.asarray(array[row]) for name, array in examples.features.items()}
    other = {name: np.asarray(array[donor]) for name, array in examples.features.items()}
    donor_length = max(1, int(real[donor].sum()))
    compute = backend.compile_with_weights(model, model.hidden_states)
    (before,) = _hidden_states(model, compute, [features], length, batch_size)
    changes = []
    for first in range(0, len(inputs), batch_size):
        replaced = [
            _replace_position(features, other, int(position), int(position) % donor_length)
            for position in inputs[first : first + batch_size]
        ]
        for after in _hidden_states(model, compute, replaced, length, batch_size):
            distance = np.linalg.norm(after - before, axis=-1)
            changes.append(np.maximum.reduceat(distance, starts))
    change = np.array(changes)
    largest = float(change.max())
    scaled = np.round(255 * change / largest if largest > 0 else change).astype(np.uint8)
    return {
        "inputs": inputs.tolist(),
        "outputs": starts.tolist(),
        "map": base64.b64encode(scaled.tobytes()).decode(),
    }


def _hidden_states(
    model: Any,
    compute: Callable[..., Any],
    rows: Sequence[Mapping[str, np.ndarray]],
    length: int,
    batch_size: int,
) -> np.ndarray:
    """Return the hidden states of the real positions, without extra ones: (rows, length, width).

    Every pass has `batch_size` rows, so that `compute` is compiled once.
    """
    filled = [*rows, *[rows[0]] * (batch_size - len(rows))]
    batch = {name: np.stack([row[name] for row in filled]) for name in filled[0]}
    hidden_states = ops.convert_to_numpy(ops.cast(compute(batch), "float32"))[: len(rows)]
    extra = getattr(model.backbone, "extra_positions", 0)
    real: np.ndarray = hidden_states[:, extra : extra + length]
    return real


def _replace_position(
    features: Mapping[str, np.ndarray], donor: Mapping[str, np.ndarray], position: int, source: int
) -> dict[str, np.ndarray]:
    """Return the features with the input at `position` taken from `source` of the donor example.

    Features that are no arrays over positions stay, such as the places of a sentence's entities.
    """
    changed = {name: array.copy() for name, array in features.items()}
    length = len(features["padding_mask"])
    for name, array in changed.items():
        if name.endswith("_mask") or name in MASKS or not array.ndim:
            continue
        if len(array) == length:
            array[position] = donor[name][source]
    return changed
