"""The curve tracing task: decide whether one dashed curve joins two marked ends.

The question is that of Pathfinder (Linsley et al. 2018, "Learning Long-Range Spatial Dependencies
with Horizontal Gated Recurrent Units"; Tay et al. 2021, Long Range Arena, section 2.3.5). The
images come from our own generator (`curves.py`), so scores are not comparable with Pathfinder's. A
position is a square patch; if the length equals the number of pixels, a patch is one pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from suite.api import (
    Examples,
    Inputs,
    Options,
    Recipe,
    RequestError,
    Source,
    SourceRequest,
    TaskData,
    task_options,
)
from tasks.common.classification import Classification, add_global_mask

SIZES = (32, 64)
MIN_EXAMPLES = 100
CLASSES = ("apart", "joined")
NUM_CLASSES = len(CLASSES)
TRACE_WEIGHT = 10.0
"""The weight of the traces in the loss; their mean is small, since few patches have a trace."""


class CurveTracing(Classification):
    """Classify images by whether one curve has both marks."""

    version = 2
    title = "Curve tracing (after Pathfinder)"
    summary = "decides whether a dashed curve joins two marked ends"
    inputs = Inputs.PATCHES
    position = "a patch (or a pixel)"
    default_lengths = (64, 256, 1_024)
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated: two dashed curves, two marked ends, shorter distractor curves",
            licence="Apache-2.0",
            citation="Lengthwise, after Linsley et al. 2018",
            redistributable=True,
            numpy_only=True,
        )
    }
    options = {
        "image_size": 32,
        "curve_points": 9,
        "train_examples": 40_000,
        "neighbour_convolution": False,
        "trace": False,
    }
    """`neighbour_convolution`: whether the embedding has convolutions over the image
    (`patch_convolutions.py`). `trace`: whether training also asks of each patch whether a marked
    curve runs through it. `curve_points` is the length of a curve."""
    open_options = frozenset({"neighbour_convolution", "trace"})
    recipe = Recipe(learning_rate=1e-3, validations=6)

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths that no patch size gives."""
        side, size = isqrt(sequence_length), options["image_size"]
        if side * side == sequence_length and size % side == 0:
            return None
        return (
            f"cuts {size} × {size} pixels into whole patches, as many in a row as in a column; "
            "choose another length or `image_size`"
        )

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and return the generator's version."""
        from tasks.common.options import check_range

        options = task_options(self, options)
        check_range(options, "train_examples", MIN_EXAMPLES)
        check_range(options, "curve_points", 6, 24)
        if options["image_size"] not in SIZES:
            raise RequestError(
                f"The option 'image_size' must be one of {', '.join(map(str, SIZES))}",
                received=options["image_size"],
            )
        return f"synthetic-{self.version}"

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Build convolutions over the image; the architecture projects plain patches itself."""
        if not spec["neighbour_convolution"]:
            return None
        from tasks.curve_tracing.patch_convolutions import PatchConvolutions

        return PatchConvolutions()

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a head for the classes and, with the option `trace`, for each patch."""
        from tasks.curve_tracing.trace_head import ExampleAndPositionsHead

        head = super().build_head(spec)
        return ExampleAndPositionsHead(head) if spec["trace"] else head

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the label's cross-entropy, plus `TRACE_WEIGHT` times that of any traces."""
        from keras import ops

        from tasks.common.losses import mean_where

        loss = super().loss(outputs[:, :NUM_CLASSES], targets, features)
        if outputs.shape[1] == NUM_CLASSES:
            return loss
        traces = ops.cast(targets["trace"], outputs.dtype)
        trace_losses = ops.binary_crossentropy(traces, outputs[:, NUM_CLASSES:], from_logits=True)
        return loss + TRACE_WEIGHT * mean_where(features["padding_mask"], trace_losses)

    def class_logits(self, outputs: Any, features: Mapping[str, Any]) -> Any:
        """Return the logits of the label, without those of any traces."""
        return outputs[:, :NUM_CLASSES]

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the class probabilities; traces are used in training only."""
        return super().predict(outputs[:, :NUM_CLASSES], targets, features)

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Generate images and cut them into patches."""
        from tasks.common.sources import collect_facts
        from tasks.curve_tracing.curves import draw_images

        options = task_options(self, options)
        size, side = options["image_size"], isqrt(sequence_length)
        counts = {"train": options["train_examples"], "validation": 1_000, "test": 2_000}
        drawn = {
            split: draw_images(count, size, seed, options["curve_points"])
            for seed, (split, count) in enumerate(counts.items())
        }
        raw = {
            split: list(zip(images, labels.tolist(), strict=True))
            for split, (images, labels, _) in drawn.items()
        }
        facts = {"image_size": size, "patch_size": size // side}
        return TaskData(
            **{split: _encode(*split_data, size // side) for split, split_data in drawn.items()},
            spec={
                "classes": list(CLASSES),
                "neighbour_convolution": options["neighbour_convolution"],
                "trace": options["trace"],
            },
            facts=collect_facts(self.sources["synthetic"], raw, facts),
        )


def _encode(images: Any, labels: Any, traces: Any, patch_size: int) -> Examples:
    import numpy as np

    from tasks.common.patches import cut_patches
    from tasks.curve_tracing.curves import MARK

    # The background is 0, so an empty patch contributes nothing to its position.
    patches = cut_patches(images[:, :, :, None].astype(np.float32) / MARK, patch_size)
    mask = np.ones(patches.shape[:2], bool)
    trace = cut_patches(traces[:, :, :, None], patch_size).any(axis=-1)
    features = add_global_mask({"patches": patches, "padding_mask": mask})
    return Examples(features, {"labels": labels, "trace": trace})


TASK = CurveTracing()
