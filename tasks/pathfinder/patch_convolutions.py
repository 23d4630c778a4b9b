"""Patches of a picture, seen together with what lies around them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

import keras
from keras import ops

CHANNELS = (16, 32, 64)


class PatchConvolutions(keras.layers.Layer):
    """Puts grey patches together again and convolves the picture before it is cut anew.

    Three convolutions of 3 × 3, the second and third in steps of two where a patch has room for
    them, as the stem of Xiao et al. 2021, "Early Convolutions Help Transformers See Better",
    section 4; the architecture projects what they find, as it projects pixels.

    In: `features["patches"]` (batch, n, pixels of a square patch), n a square number. Out: (batch,
    n, channels). Time and memory O(n) for a given size of patch.
    """

    def build(self, input_shape: Any = None) -> None:
        """Choose the steps by the size of a patch."""
        shape = input_shape["patches"]
        self.side, self.patch_size = isqrt(shape[1]), isqrt(shape[2])
        steps = [1, *(2 if self.patch_size % stride == 0 else 1 for stride in (2, 4))]
        self.cut = self.patch_size // (steps[1] * steps[2])
        self.convolutions = [
            keras.layers.Conv2D(channels, 3, step, padding="same", activation="relu")
            for channels, step in zip(CHANNELS, steps, strict=True)
        ]

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Join, convolve, cut."""
        patches, side, size = features["patches"], self.side, self.patch_size
        grid = ops.reshape(patches, (-1, side, side, size, size))
        pictures = ops.reshape(
            ops.transpose(grid, (0, 1, 3, 2, 4)), (-1, side * size, side * size, 1)
        )
        for convolution in self.convolutions:
            pictures = convolution(pictures)
        grid = ops.reshape(pictures, (-1, side, self.cut, side, self.cut, CHANNELS[-1]))
        grid = ops.transpose(grid, (0, 1, 3, 2, 4, 5))
        return ops.reshape(grid, (-1, side * side, self.cut**2 * CHANNELS[-1]))
