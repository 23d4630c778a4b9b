"""Tests of the convolutions across patches."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from tasks.common.patches import cut_patches
from tasks.curve_tracing.patch_convolutions import PatchConvolutions


@pytest.mark.parametrize("patch_size", [1, 2, 4, 8])
def test_convolutions_reach_neighbouring_patches_only(patch_size):
    convolutions = PatchConvolutions()
    image = np.zeros((2, 32, 32, 1), np.float32)
    image[1, 16, 8] = 1
    patches = cut_patches(image, patch_size)
    outputs = ops.convert_to_numpy(convolutions({"patches": patches}))
    assert outputs.shape[:2] == patches.shape[:2]
    side = 32 // patch_size
    row, column = np.divmod(np.flatnonzero((outputs[0] != outputs[1]).any(axis=1)), side)
    reach = 1 if patch_size > 3 else 3 if patch_size == 1 else 2
    assert len(row) > 0
    assert abs(row - 16 // patch_size).max() <= reach
    assert abs(column - 8 // patch_size).max() <= reach
