"""Convolutions across the borders of patches."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

import keras
from keras import ops

CHANNELS = (16, 32, 64)


class PatchConvolutions(keras.layers.Layer):
    """Joins grey patches into an image, convolves the image and cuts it into patches again.

    There are three convolutions of 3 × 3. The second and third have stride 2 if the patch is large
    enough. This is the stem of Xiao et al. 2021, "Early Convolutions Help Transformers See Better",
    section 4. The architecture projects the resulting features as it projects pixels.

    Input: `features["patches"]` (batch, n, pixels of a square patch), where n is a square number.
    Output: (batch, n, features). Time and memory O(n) for a given patch size.
    """

    def build(self, input_shape: Any = None) -> None:
        """Create the convolutions, with strides that fit the patch size."""
        shape = input_shape["patches"]
        self.side, self.patch_size = isqrt(shape[1]), isqrt(shape[2])
        strides = [1, *(2 if self.patch_size % total == 0 else 1 for total in (2, 4))]
        self.output_patch_size = self.patch_size // (strides[1] * strides[2])
        self.convolutions = [
            keras.layers.Conv2D(channels, 3, stride, padding="same", activation="relu")
            for channels, stride in zip(CHANNELS, strides, strict=True)
        ]

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Return the convolved patches."""
        patches, side, size = features["patches"], self.side, self.patch_size
        grid = ops.reshape(patches, (-1, side, side, size, size))
        images = ops.reshape(
            ops.transpose(grid, (0, 1, 3, 2, 4)), (-1, side * size, side * size, 1)
        )
        for convolution in self.convolutions:
            images = convolution(images)
        cut = self.output_patch_size
        grid = ops.reshape(images, (-1, side, cut, side, cut, CHANNELS[-1]))
        grid = ops.transpose(grid, (0, 1, 3, 2, 4, 5))
        return ops.reshape(grid, (-1, side * side, cut**2 * CHANNELS[-1]))
