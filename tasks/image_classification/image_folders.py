"""A user's images: a folder for each split, with a folder for each class."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import SURROGATE, DataError
from tasks.common.user_folders import find_split_paths, visible

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
WHITE_OF_16_BITS = 2**16 - 1
BIT_DEPTH = 24
"""The place of the bit depth among the bytes of a PNG file."""


def list_images(folder: Path) -> dict[str, list[tuple[Path, str]]]:
    """Return the images of each split with their classes; validation is optional.

    Raises:
        DataError: the folder does not exist, a split has two folders or no image, train has only
            one class, or another split has a class that train lacks.
    """
    found = find_split_paths(
        folder,
        "images",
        Path.is_dir,
        f"{{split}}/CLASS/IMAGE ({', '.join(SUFFIXES)}), for train and test",
    )
    splits = {split: _list_classes(path) for split, path in found.items()}
    for split, images in splits.items():
        if not images:
            raise DataError(
                f"The folder of a split holds CLASS/IMAGE ({', '.join(SUFFIXES)})",
                received=f"no image for {split} in {found[split]}",
            )
    classes = {class_name for _, class_name in splits["train"]}
    if len(classes) < 2:
        raise DataError(
            "Training images must be of at least two classes",
            received=f"only {', '.join(classes)} in {folder}",
        )
    for images in splits.values():
        for path, class_name in images:
            if class_name not in classes:
                raise DataError(
                    "Every class must occur in the training split",
                    received=f"{class_name!r} at {path}",
                )
    return splits


def _list_classes(folder: Path) -> list[tuple[Path, str]]:
    return [
        (path, SURROGATE.sub("?", class_folder.name).strip())  # a name may be no UTF-8
        for class_folder in visible(folder)
        if class_folder.is_dir()
        for path in visible(class_folder)
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]


def read_folders(
    folder: Path, size: int
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[str]]:
    """Read the images (count, size, size, 3) and labels (count,) of each split, and the classes.

    Images are bytes. An image of another size is resized.

    Raises:
        DataError: the folder is malformed (see `list_images`), or a file is not a valid image.
    """
    listed = list_images(folder)
    classes = sorted({class_name for _, class_name in listed["train"]})
    splits = {}
    for split, rows in listed.items():
        images = np.stack([read_image(path, size, "RGB") for path, _ in rows])
        labels = np.array([classes.index(class_name) for _, class_name in rows], np.int32)
        splits[split] = images, labels
    return splits, classes


def read_image(path: Path, size: int, mode: str) -> np.ndarray:
    """Read an image as bytes (size, size, channels); `mode` is "RGB", or "L" for grey.

    It is turned as its EXIF data say. Transparent pixels become white. The first picture of an
    animation counts.

    Raises:
        DataError: the file is not a valid image, or has too many pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a damaged part that Pillow can do without
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with _open(path) as file:
                image = _in_mode(_upright(file), mode)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(
            f"An image must have at most {Image.MAX_IMAGE_PIXELS:,} pixels",
            received=path,
            remedy="Make it smaller",
        ) from None
    except Exception as error:  # a decoder may raise any error for a broken file
        raise DataError(
            "Every image must be readable", received=f"{path} ({type(error).__name__})"
        ) from None
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(size, size, -1)


def _open(path: Path) -> Any:
    """Open an image, after a check of the checksums of a PNG file, which decoding ignores."""
    from PIL import Image

    data = path.read_bytes()
    with Image.open(BytesIO(data)) as file:
        file.verify()
    image = Image.open(BytesIO(data))  # nothing can be read after `verify`
    color = image.info.get("transparency")
    if image.format == "PNG" and color is not None:
        image.info["transparency"] = _in_8_bits(color, image.mode, depth=data[BIT_DEPTH])
    return image


def _in_8_bits(color: Any, mode: str, depth: int) -> Any:
    """Return the transparent colour of a PNG file, which has the file's depth, as pixels have it.

    Pillow makes pixels of 8 bits of all but grey pixels of 16. Of colours that become equal, all
    are transparent.
    """
    if mode == "L":
        return color * 255 // (2**depth - 1)
    if mode == "RGB" and depth == 16:
        return tuple(part >> 8 for part in color)
    return color


def _upright(image: Any) -> Any:
    """Return an image turned as its EXIF data say; damaged data say nothing."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken image fails again when it is converted
        return image


def _in_mode(image: Any, mode: str) -> Any:
    """Return an image in a mode of bytes, on white."""
    from PIL import Image

    if image.mode.startswith("I"):  # grey of 16 bits, which `convert` would cut at 255
        values = np.asarray(image).astype(np.int64).clip(0, WHITE_OF_16_BITS)
        values[values == image.info.get("transparency")] = WHITE_OF_16_BITS
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert(mode)
