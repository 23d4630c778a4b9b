"""Removal of attention heads and feed-forward units from built layers.

A layer that can lose units is a `RemovableUnits`. One that can lose heads has the methods of
`FullAttention`: `num_removable_heads`, `head_norms` and `remove_heads`. The remaining matrices are
smaller, so that the layer is faster too. Only the number of heads or units of a layer changes: the
weights can be loaded into a layer that has lost other ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class RemovableUnits:
    """A layer whose feed-forward network can lose units.

    `up_projection` and `down_projection` are its dense layers. The former has `columns_per_unit`
    columns for a unit, one in each of equal parts. `width_argument` is the argument of the
    constructor that holds the number of units.
    """

    up_projection: Any
    down_projection: Any
    columns_per_unit = 1
    width_argument = "feedforward_width"

    @property
    def num_removable_units(self) -> int:
        """The number of units; 0 if the layer has no feed-forward network of its own."""
        return int(self.up_projection.units) // self.columns_per_unit

    def unit_norms(self) -> np.ndarray:
        """Return the sum of the absolute weights into and out of each unit: (units,)."""
        up, down = _sizes(self.up_projection), _sizes(self.down_projection)
        into = up.sum(axis=0).reshape(self.columns_per_unit, -1).sum(axis=0)
        norms: np.ndarray = into + down.sum(axis=1)
        return norms

    def remove_units(self, units: Sequence[int]) -> None:
        """Remove units for good; the other units keep their weights."""
        count = self.num_removable_units
        kept = np.setdiff1d(np.arange(count), units)
        columns = np.concatenate([kept + part * count for part in range(self.columns_per_unit)])
        keep_columns(self.up_projection, columns)
        keep_rows(self.down_projection, kept)
        setattr(self, self.width_argument, len(kept))


def keep_columns(layer: Any, columns: np.ndarray) -> None:
    """Keep some of the outputs of a dense layer."""
    _replace(layer, "_kernel", ops.convert_to_numpy(layer.kernel)[:, columns])
    if layer.use_bias:
        _replace(layer, "bias", ops.convert_to_numpy(layer.bias)[columns])
    layer.units = len(columns)


def keep_rows(layer: Any, rows: np.ndarray) -> None:
    """Keep some of the inputs of a dense layer."""
    _replace(layer, "_kernel", ops.convert_to_numpy(layer.kernel)[rows])
    layer.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: len(rows)})


def keep_channels(convolution: Any, channels: np.ndarray) -> None:
    """Keep some of the channels of a short convolution."""
    _replace(convolution, "kernel", ops.convert_to_numpy(convolution.kernel)[:, channels])
    convolution.channels = len(channels)


def columns_of_heads(heads: np.ndarray, head_size: int) -> np.ndarray:
    """Return the places of the channels of heads."""
    places: np.ndarray = (heads[:, None] * head_size + np.arange(head_size)).ravel()
    return places


def absolute_sums(layer: Any, num_heads: int, axis: int) -> np.ndarray:
    """Return the sums of the absolute weights of each head: (heads,).

    The channels of the heads are the outputs of a dense layer (axis 1) or its inputs (axis 0).
    """
    sums: np.ndarray = _sizes(layer).sum(axis=1 - axis).reshape(num_heads, -1).sum(axis=1)
    return sums


def _sizes(layer: Any) -> np.ndarray:
    sizes: np.ndarray = np.abs(ops.convert_to_numpy(ops.cast(layer.kernel, "float32")))
    return sizes


def _replace(layer: Any, attribute: str, value: np.ndarray) -> None:
    """Replace a weight by one of another shape, as Keras's quantization does."""
    old = getattr(layer, attribute)
    layer._tracker.unlock()
    delattr(layer, attribute)
    new = layer.add_weight(value.shape, "zeros", dtype=old.dtype, name=old.name)
    new.assign(value)
    setattr(layer, attribute, new)
    layer._tracker.lock()
    if keras.backend.backend() == "torch":
        layer._track_variables()
