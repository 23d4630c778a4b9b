"""Pathfinder: are two ends joined by one of the dashed curves?

Linsley et al. 2018, "Learning Long-Range Spatial Dependencies with Horizontal Gated Recurrent
Units"; in Long Range Arena (Tay et al. 2021, section 2.3.5) a position is a pixel. Here it is a
square patch, of one pixel where the length is the number of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from suite.api import (
    Examples,
    Inputs,
    Options,
    PresetOverride,
    Recipe,
    Source,
    SourceRequest,
    TaskData,
    task_options,
)
from suite.api.errors import RequestError
from tasks.common.classification import Classification

SIZES = (32, 64)
MIN_EXAMPLES = 100
CLASSES = ("apart", "joined")
NUM_CLASSES = len(CLASSES)
TRACE_WEIGHT = 10.0
"""How much the loss minds the traces: few patches have one, and the mean over all is small."""


class Pathfinder(Classification):
    """Two classes: joined or not."""

    version = 5
    title = "Pathfinder"
    summary = "follows dashed curves between two ends"
    inputs = Inputs.PATCHES
    position = "a patch (or a pixel)"
    default_lengths = (64, 256, 1_024)
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated: two dashed curves, two marked ends, shorter curves that distract",
            licence="Apache-2.0",
            citation="Linsley et al. 2018; Tay et al. 2021, Long Range Arena",
            redistributable=True,
        )
    }
    options = {"image_size": 32, "curve_points": 9, "train_examples": 40_000, "trace": True}
    recipe = Recipe(learning_rate=2e-3, dropout=0.0, weight_decay=0.01, validations=6)
    head_dropout = 0.0
    budget_unit = "examples"
    preset_overrides = {
        "smoke": PresetOverride(budget=2_048, examples_per_batch=16),
        "quick": PresetOverride(budget=16_384, examples_per_batch=32, lengths=(64,)),
        "standard": PresetOverride(budget=200_000, examples_per_batch=32),
        "reach": PresetOverride(budget=1_000_000, examples_per_batch=128, lengths=(64,)),
    }

    def unsupported_reason(self, sequence_length: int) -> str | None:
        """Refuse lengths that no whole patch gives."""
        side = isqrt(sequence_length)
        if side * side == sequence_length and any(size % side == 0 for size in SIZES):
            return None
        return f"cuts squares of {' or '.join(map(str, SIZES))} pixels into whole patches"

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Name what is generated."""
        from tasks.common.options import check_range

        options = task_options(self, options)
        check_range(options, "train_examples", MIN_EXAMPLES)
        check_range(options, "curve_points", 6, 24)
        if options["image_size"] not in SIZES:
            raise RequestError(
                f"The option 'image_size' is one of {', '.join(map(str, SIZES))}",
                received=options["image_size"],
            )
        return f"synthetic-{self.version}"

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Convolve the picture that the patches make."""
        from tasks.pathfinder.patch_convolutions import PatchConvolutions

        return PatchConvolutions()

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Score the classes and, where traces are asked for, each patch behind them."""
        from tasks.common.heads import ExampleAndPositionsHead

        classes = super().build_head(spec)
        return ExampleAndPositionsHead(classes) if spec["trace"] else classes

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Add to the cross-entropy of the label that of the traces, by `TRACE_WEIGHT`."""
        from keras import ops

        loss = super().loss(outputs[:, :NUM_CLASSES], targets, features)
        if outputs.shape[1] == NUM_CLASSES:
            return loss
        traces, real = (
            ops.cast(mask, outputs.dtype) for mask in (targets["trace"], features["padding_mask"])
        )
        each = ops.binary_crossentropy(traces, outputs[:, NUM_CLASSES:], from_logits=True)
        return loss + TRACE_WEIGHT * ops.sum(each * real) / ops.sum(real)

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Give the classes' probabilities; traces are for training alone."""
        return super().predict(outputs[:, :NUM_CLASSES], targets, features)

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Draw pictures and cut them into patches."""
        from tasks.common.sources import describe
        from tasks.pathfinder.curves import draw_pictures

        options = task_options(self, options)
        size, side = options["image_size"], isqrt(sequence_length)
        if size % side:
            raise RequestError(
                "The option 'image_size' is a multiple of the length's root",
                received=f"image_size={size} at length {sequence_length}",
            )
        counts = {"train": options["train_examples"], "validation": 1_000, "test": 2_000}
        drawn = {
            split: draw_pictures(count, size, seed, options["curve_points"])
            for seed, (split, count) in enumerate(counts.items())
        }
        raw = {
            split: list(zip(images, labels.tolist(), strict=True))
            for split, (images, labels, _) in drawn.items()
        }
        facts = {"image_size": size, "patch_size": size // side}
        return TaskData(
            **{split: _encode(*pictures, size // side) for split, pictures in drawn.items()},
            spec={"classes": list(CLASSES), "trace": options["trace"]},
            facts=describe(self.sources["synthetic"], raw, facts),
        )


def _encode(images: Any, labels: Any, traces: Any, patch_size: int) -> Examples:
    import numpy as np

    from tasks.common.patches import cut_patches
    from tasks.pathfinder.curves import MARK

    # Nothing is 0: an empty patch leaves its place to say what it is.
    patches = cut_patches(images[:, :, :, None].astype(np.float32) / MARK, patch_size)
    mask = np.ones(patches.shape[:2], bool)
    trace = cut_patches(traces[:, :, :, None], patch_size).any(axis=-1)
    return Examples({"patches": patches, "padding_mask": mask}, {"labels": labels, "trace": trace})


TASK = Pathfinder()
