"""Images as sequences of patches, row by row (Dosovitskiy et al. 2021, section 3.1)."""

from __future__ import annotations

import numpy as np


def cut_patches(images: np.ndarray, patch_size: int) -> np.ndarray:
    """Cut (batch, rows, columns, channels) into (batch, patches, pixels · channels of a patch).

    Raises:
        ValueError: the images do not divide into patches.
    """
    batch, rows, columns, channels = images.shape
    if patch_size < 1 or rows % patch_size or columns % patch_size:
        raise ValueError(
            "Images must divide into whole patches. "
            f"Received: images of {rows} × {columns}, patch_size={patch_size}. "
            "Choose a divisor of both."
        )
    grid = images.reshape(
        batch, rows // patch_size, patch_size, columns // patch_size, patch_size, channels
    )
    return grid.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, patch_size**2 * channels)
