"""A user's images: a folder for each split, with a folder for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from suite.api import DataError
from tasks.common.sources import SPLIT_STEMS

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def list_images(folder: Path) -> dict[str, list[tuple[Path, str]]]:
    """Return the images of each split with their classes; validation is optional.

    Raises:
        DataError: the folder does not exist, train or test has no image, train has only one
            class, or another split has a class that train lacks.
    """
    if not folder.is_dir():
        raise DataError("A folder of images must exist", received=f"files:{folder}")
    splits: dict[str, list[tuple[Path, str]]] = {}
    for split, stems in SPLIT_STEMS.items():
        images = [
            (path, class_folder.name)
            for split_folder in sorted(folder.iterdir())
            if split_folder.is_dir() and split_folder.name in stems
            for class_folder in sorted(split_folder.iterdir())
            if class_folder.is_dir()
            for path in sorted(class_folder.iterdir())
            if path.suffix.lower() in SUFFIXES
        ]
        if not images and split != "validation":
            raise DataError(
                f"A folder of images holds {split}/CLASS/IMAGE ({', '.join(SUFFIXES)})",
                received=f"no image for {split} in {folder}",
            )
        if images:
            splits[split] = images
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

    Raises:
        DataError: the file is not a valid image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image = file.convert(mode)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(
            "Every image must be readable", received=f"{path} ({type(error).__name__})"
        ) from None
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(size, size, -1)
