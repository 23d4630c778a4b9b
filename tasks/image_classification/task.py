"""The image classification task: predict the class of a small image.

A position is a square patch of pixels, row by row (Dosovitskiy et al. 2021, section 3.1). The patch
size determines the length: for 32 × 32 pixels, patches of 8, 4, 2 and 1 pixels give lengths of 16,
64, 256 and 1,024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    Examples,
    Inputs,
    Options,
    Recipe,
    Source,
    SourceRequest,
    TaskData,
    digest_paths,
    task_options,
)
from tasks.common.classification import Classification, add_global_mask, check_positive_class
from tasks.common.user_folders import FolderReader, folder_of

if TYPE_CHECKING:
    import numpy as np

IMAGE_SIZE = 32
DIGIT_BORDER = 2
"""The black pixels around the digits of MNIST, which have 28 × 28 pixels."""
LENGTHS = {(IMAGE_SIZE // patch) ** 2: patch for patch in (16, 8, 4, 2, 1)}
TFDS_NAME = "cifar10"


class ImageClassification(FolderReader, Classification):
    """Classify images of 32 × 32 pixels; other sizes are resized."""

    version = 4
    title = "Image classification"
    summary = "classifies small images"
    inputs = Inputs.PATCHES
    position = "a patch"
    default_lengths = (16, 64, 256)
    default_source = "embedded"
    sources = {
        "embedded": Source(
            summary="5,000 digits of MNIST, included",
            licence="CC BY-SA 3.0 (MNIST)",
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
    options = {"positive_class": ""}
    """`positive_class`: the class whose F1 is a metric if there are two, by default the second in
    alphabetical order."""
    shiftable_images = True
    folders_are_classes = True
    recipe = Recipe(learning_rate=1e-3, weight_decay=0.05)
    """Weight decay and label smoothing as in Touvron et al. 2021, "Training data-efficient image
    transformers & distillation through attention", table 9; dropout as in Dosovitskiy et al. 2021,
    table 3."""
    label_smoothing = 0.1

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths that no patch size gives."""
        if sequence_length in LENGTHS:
            return None
        known = ", ".join(f"{length} (patch {patch})" for length, patch in LENGTHS.items())
        return f"cuts {IMAGE_SIZE} × {IMAGE_SIZE} pixels into whole patches: {known}"

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the user's images or the prepared data set; return a digest."""
        if request.kind == "files":
            _read_images(request)
            return digest_paths(self.list_files(folder_of(request), options))
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared

            return digest_prepared(TFDS_NAME, request)
        return f"embedded-{self.version}"

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the images of all splits."""
        from tasks.image_classification.image_folders import list_images

        return [path for images in list_images(folder).values() for path, _ in images]

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the images and cut them into the patches that give the length."""
        from tasks.common.sources import collect_facts

        positive_class = task_options(self, options)["positive_class"]
        splits, classes, facts = _read_images(request)
        check_positive_class(positive_class, classes)
        table = _standardization_table(splits["train"][0])
        patch_size = LENGTHS[sequence_length]
        encoded = {
            split: _encode(images, labels, patch_size, table)
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
                "positive_class": positive_class,
                "patch_size": patch_size,
                "channels": splits["train"][0].shape[-1],
                "border": DIGIT_BORDER if request.kind == "embedded" else 0,
                "standardization": table.tolist(),
            },
            facts=collect_facts(
                self.sources[request.kind],
                raw,
                {"patch_size": patch_size, **facts, **self.count_left_out(request, options)},
            ),
        )

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Encode the images at these paths; other sizes are resized.

        Raises:
            DataError: a file is not a readable image.
        """
        import numpy as np

        from tasks.image_classification.image_folders import read_image

        size, border = IMAGE_SIZE - 2 * spec["border"], spec["border"]
        mode = "L" if spec["channels"] == 1 else "RGB"
        images = np.stack([read_image(Path(text).expanduser(), size, mode) for text in texts])
        return self._encode_unlabelled(_with_border(images, border), spec)

    def encode_blank(self, sequence_length: int, spec: Mapping[str, Any]) -> Examples:
        """Return a black image."""
        import numpy as np

        shape = (1, IMAGE_SIZE, IMAGE_SIZE, spec["channels"])
        return self._encode_unlabelled(np.zeros(shape, np.uint8), spec)

    @staticmethod
    def _encode_unlabelled(images: np.ndarray, spec: Mapping[str, Any]) -> Examples:
        import numpy as np

        table = np.array(spec["standardization"], np.float32)
        return _encode(images, np.zeros(len(images), np.int32), spec["patch_size"], table)


def _read_images(request: SourceRequest) -> tuple[Any, list[str], dict[str, Any]]:
    """Return the images and labels of each split, the classes, and facts.

    Images are bytes of shape (count, 32, 32, channels).
    """
    import numpy as np

    from tasks.common.sources import describe_held_out, hold_out

    facts: dict[str, Any] = {}
    if request.kind == "embedded":
        from tasks.image_classification.digits import read_digits

        digits, labels = read_digits()
        images = _with_border(digits, DIGIT_BORDER)
        learning, test = hold_out(len(images))
        train, validation = (learning[part] for part in hold_out(len(learning)))
        splits = {
            "train": (images[train], labels[train]),
            "validation": (images[validation], labels[validation]),
            "test": (images[test], labels[test]),
        }
        facts["splits"] = "a fixed tenth is test, a tenth of the rest is validation"
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

        splits, classes = read_folders(folder_of(request), IMAGE_SIZE)
    if "validation" not in splits:
        images, labels = splits["train"]
        by_class = request.kind == "files"
        train, validation = hold_out(len(images), labels if by_class else None)
        splits["train"] = images[train], labels[train]
        splits["validation"] = images[validation], labels[validation]
        facts["validation"] = describe_held_out(by_class)
    return splits, classes, facts


def _with_border(images: np.ndarray, size: int) -> np.ndarray:
    """Return images (count, height, width, channels) with black pixels around them."""
    import numpy as np

    return np.pad(images, ((0, 0), (size, size), (size, size), (0, 0)))


def _standardization_table(images: np.ndarray) -> np.ndarray:
    """Return the standardized value of each byte in each channel: (256, channels).

    Standardized pixels have mean 0 and standard deviation 1. Statistics come from histograms, since
    the images as floats would take gigabytes.
    """
    import numpy as np

    values = np.arange(256, dtype=np.uint8)[:, None]
    counts = np.stack(
        [np.bincount(images[..., channel].ravel(), minlength=256)
         for channel in range(images.shape[-1])], axis=1,
    )  # fmt: skip
    mean = np.average(np.broadcast_to(values, counts.shape), axis=0, weights=counts)
    variance = np.average((values - mean) ** 2, axis=0, weights=counts)
    deviation = np.sqrt(variance) / 255 + 1e-3
    table: np.ndarray = (values / np.float32(255) - mean / 255) / deviation
    return table.astype(np.float32)


def _encode(images: np.ndarray, labels: np.ndarray, patch_size: int, table: np.ndarray) -> Examples:
    import numpy as np

    from tasks.common.patches import cut_patches

    standardized = np.empty(images.shape, np.float32)
    for channel in range(images.shape[-1]):
        standardized[..., channel] = table[:, channel][images[..., channel]]
    patches = cut_patches(standardized, patch_size)
    mask = np.ones(patches.shape[:2], bool)
    features = add_global_mask({"patches": patches, "padding_mask": mask})
    return Examples(features, {"labels": labels.astype(np.int32)})


TASK = ImageClassification()
