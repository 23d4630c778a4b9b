"""Augmentation: the images of the training batches are shifted and mirrored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Options, Stage
from suite.methods._options import at_least, check_options


class Augmentation(Method):
    """Each training image is shifted by a random number of pixels, and maybe mirrored.

    The task says whether its images may be shifted (`Task.shiftable_images`). Pixels at an edge are
    repeated beyond the edge. Validation and test are unchanged.
    """

    version = 1
    title = "Augmentation of images"
    summary = "shift training images by random numbers of pixels; mirror them on request"
    paper = (
        "Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks"
    )
    stage = Stage.TRAIN
    options = {"shift": 2, "mirror": False}
    """`shift`: the most pixels by which an image moves in either direction. `mirror`: whether each
    image is reflected left to right with probability 0.5. That keeps the class of the images of
    CIFAR-10, but not that of a digit."""

    def check(self, options: Options) -> None:
        check_options(self, options, at_least(0, options, "shift"))

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        if not request.task.shiftable_images:
            return "shifts images, and the task has none whose class stays the same"
        return None

    def batches(self, batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
        if not context.options["shift"] and not context.options["mirror"]:
            return batches
        return _moved(batches, context)


def _moved(batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
    import numpy as np

    generator = np.random.default_rng([context.cell.seed, 1])
    patch_size, channels = context.spec["patch_size"], context.spec["channels"]
    shift, mirror = context.options["shift"], context.options["mirror"]
    for batch in batches:
        patches = move(batch.features["patches"], patch_size, channels, shift, mirror, generator)
        yield replace(batch, features={**batch.features, "patches": patches})


def move(
    patches: Any, patch_size: int, channels: int, shift: int, mirror: bool, generator: Any
) -> Any:
    """Shift each image by up to `shift` pixels in both directions, and maybe reflect it.

    In and out: (batch, patches, pixels · channels of a patch), the patches of square images row by
    row.
    """
    import numpy as np

    batch, num_patches, _ = patches.shape
    per_row = math.isqrt(num_patches)
    size = per_row * patch_size
    # The place of each pixel among those of all patches, and the row and column of each place.
    grid = np.arange(size * size).reshape(per_row, per_row, patch_size, patch_size)
    place = grid.transpose(0, 2, 1, 3).reshape(size, size)
    row, column = np.divmod(np.argsort(place, axis=None), size)

    down, right = generator.integers(-shift, shift + 1, (2, batch, 1))
    from_row = np.clip(np.arange(size) + down, 0, size - 1)
    from_column = np.clip(np.arange(size) + right, 0, size - 1)
    if mirror:
        mirrored = generator.random((batch, 1)) < 0.5
        from_column = np.where(mirrored, from_column[:, ::-1], from_column)
    source = place[from_row[:, row], from_column[:, column]]
    pixels = patches.reshape(batch, size * size, channels)
    return np.take_along_axis(pixels, source[:, :, None], axis=1).reshape(patches.shape)


METHOD = Augmentation()
