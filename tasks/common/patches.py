"""Images as sequences: cut into patches, row by row (Dosovitskiy et al. 2021, section 3.1)."""

from __future__ import annotations

import math

import numpy as np


def cut_patches(images: np.ndarray, patch_size: int) -> np.ndarray:
    """Cut (batch, rows, columns, channels) into (batch, patches, pixels · channels of a patch).

    Raises:
        ValueError: the images do not divide into patches.
    """
    batch, rows, columns, channels = images.shape
    if patch_size < 1 or rows % patch_size or columns % patch_size:
        raise ValueError(
            "Images divide into whole patches. "
            f"Received: images of {rows} × {columns}, patch_size={patch_size}. "
            "Take a divisor of both."
        )
    grid = images.reshape(
        batch, rows // patch_size, patch_size, columns // patch_size, patch_size, channels
    )
    return grid.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, patch_size**2 * channels)


def join_patches(patches: np.ndarray, patch_size: int, channels: int) -> np.ndarray:
    """Undo `cut_patches` for square images: (batch, rows, columns, channels)."""
    batch, count, _ = patches.shape
    side = math.isqrt(count)
    grid = patches.reshape(batch, side, side, patch_size, patch_size, channels)
    images = grid.transpose(0, 1, 3, 2, 4, 5)
    return images.reshape(batch, side * patch_size, side * patch_size, channels)


def shift_and_mirror(
    images: np.ndarray, most: int, mirrors: bool, generator: np.random.Generator
) -> np.ndarray:
    """Move each image by up to `most` pixels either way, and mirror one in two if it `mirrors`.

    The pixels at an edge are repeated beyond it. In and out: (batch, rows, columns, channels).
    """
    batch, rows, columns, _ = images.shape
    down, right = generator.integers(-most, most + 1, (2, batch, 1))
    from_rows = np.clip(np.arange(rows) + down, 0, rows - 1)
    from_columns = np.clip(np.arange(columns) + right, 0, columns - 1)
    if mirrors:
        mirrored = generator.random((batch, 1)) < 0.5
        from_columns = np.where(mirrored, from_columns[:, ::-1], from_columns)
    moved: np.ndarray = images[
        np.arange(batch)[:, None, None], from_rows[:, :, None], from_columns[:, None, :]
    ]
    return moved
