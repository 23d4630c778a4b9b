"""Random shifts and reflections of images."""

from __future__ import annotations

import math

import numpy as np


def join_patches(patches: np.ndarray, patch_size: int, channels: int) -> np.ndarray:
    """Invert `cut_patches` for square images: (batch, rows, columns, channels)."""
    batch, num_patches, _ = patches.shape
    side = math.isqrt(num_patches)
    grid = patches.reshape(batch, side, side, patch_size, patch_size, channels)
    images = grid.transpose(0, 1, 3, 2, 4, 5)
    return images.reshape(batch, side * patch_size, side * patch_size, channels)


def shift_and_mirror(
    images: np.ndarray, max_shift: int, mirror: bool, generator: np.random.Generator
) -> np.ndarray:
    """Shift each image by up to `max_shift` pixels in both directions, and maybe reflect it.

    If `mirror` is set, each image is reflected left to right with probability 0.5. Pixels at an
    edge are repeated beyond the edge. In and out: (batch, rows, columns, channels).
    """
    batch, rows, columns, _ = images.shape
    down, right = generator.integers(-max_shift, max_shift + 1, (2, batch, 1))
    from_rows = np.clip(np.arange(rows) + down, 0, rows - 1)
    from_columns = np.clip(np.arange(columns) + right, 0, columns - 1)
    if mirror:
        mirrored = generator.random((batch, 1)) < 0.5
        from_columns = np.where(mirrored, from_columns[:, ::-1], from_columns)
    shifted: np.ndarray = images[
        np.arange(batch)[:, None, None], from_rows[:, :, None], from_columns[:, None, :]
    ]
    return shifted
