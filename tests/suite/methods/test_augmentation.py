"""Tests of the augmentation of images."""

from __future__ import annotations

import numpy as np
import pytest

from suite.methods.augmentation import METHOD, move
from suite.worker.data.batches import Batch
from tasks.common.patches import cut_patches
from tests.builders.methods import context_of

SIZE, PATCH, CHANNELS = 12, 3, 2


def images_of(count=50):
    return np.random.default_rng(0).normal(size=(count, SIZE, SIZE, CHANNELS)).astype("float32")


def shifted(image, down, right, mirrored):
    """Return the image that shows, at each pixel, the one `down` and `right` of it."""
    padded = np.pad(image, ((SIZE, SIZE), (SIZE, SIZE), (0, 0)), mode="edge")
    found = padded[SIZE + down : 2 * SIZE + down, SIZE + right : 2 * SIZE + right]
    return found[:, ::-1] if mirrored else found


@pytest.mark.parametrize("mirror", [False, True])
def test_images_are_shifted_within_the_bound_and_mirrored(mirror):
    images = images_of()
    patches = cut_patches(images, PATCH)
    moved = move(patches, PATCH, CHANNELS, 2, mirror, np.random.default_rng(1))
    used = set()
    for image, found in zip(images, moved, strict=True):
        possible = {
            (down, right, mirrored): cut_patches(shifted(image, down, right, mirrored)[None], PATCH)
            for down in range(-2, 3)
            for right in range(-2, 3)
            for mirrored in {False, mirror}
        }
        (shift,) = [key for key, expected in possible.items() if (expected[0] == found).all()]
        used.add(shift)
    assert {down for down, _, _ in used} == {right for _, right, _ in used} == set(range(-2, 3))
    assert {mirrored for *_, mirrored in used} == {False, mirror}


def test_only_the_patches_change_and_neutral_options_change_nothing():
    patches = cut_patches(images_of(4), PATCH)
    batch = Batch({"patches": patches, "padding_mask": np.ones((4, 16), bool)}, {}, 64, 4)
    spec = {"patch_size": PATCH, "channels": CHANNELS}
    context = context_of("augmentation", {}, spec=spec)
    first, second = METHOD.batches(iter([batch, batch]), context)
    assert first.features["padding_mask"] is batch.features["padding_mask"]
    assert first.features["patches"].dtype == patches.dtype
    assert (first.features["patches"] != second.features["patches"]).any()
    batches = iter([batch])
    assert METHOD.batches(batches, context_of("augmentation", {"shift": 0})) is batches
