"""A user's images: folders of splits, in each a folder for every class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from suite.api.errors import DataError
from tasks.common.sources import SPLIT_STEMS

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def list_images(folder: Path) -> dict[str, list[tuple[Path, str]]]:
    """Return the images of each split with their classes; validation may be missing.

    Raises:
        DataError: there is no such folder; train or test is missing or empty; there is one class
            only; a class of another split is unknown to train.
    """
    if not folder.is_dir():
        raise DataError("A folder of images must exist", received=f"files:{folder}")
    found: dict[str, list[tuple[Path, str]]] = {}
    for split, stems in SPLIT_STEMS.items():
        inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name in stems]
        rows = [
            (path, kind.name)
            for split_folder in inside
            for kind in sorted(split_folder.iterdir())
            if kind.is_dir()
            for path in sorted(kind.iterdir())
            if path.suffix.lower() in SUFFIXES
        ]
        if not rows and split != "validation":
            raise DataError(
                f"A folder of images holds {split}/CLASS/IMAGE ({', '.join(SUFFIXES)})",
                received=f"no image for {split} in {folder}",
            )
        if rows:
            found[split] = rows
    classes = {kind for _, kind in found["train"]}
    if len(classes) < 2:
        raise DataError(
            "Training images must be of at least two classes",
            received=f"{', '.join(classes)} alone in {folder}",
        )
    for rows in found.values():
        for path, kind in rows:
            if kind not in classes:
                raise DataError(
                    "Every class must occur in the training split", received=f"{kind!r} at {path}"
                )
    return found


def read_folders(
    folder: Path, size: int
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[str]]:
    """Read all images as (count, size, size, 3) bytes, resized where they have another size.

    Raises:
        DataError: as `list_images`, or a file is no image.
    """
    listed = list_images(folder)
    classes = sorted({kind for _, kind in listed["train"]})
    splits = {}
    for split, rows in listed.items():
        images = np.stack([_read_image(path, size) for path, _ in rows])
        splits[split] = images, np.array([classes.index(kind) for _, kind in rows], np.int32)
    return splits, classes


def _read_image(path: Path, size: int) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            whole = image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(
            "Every image must be readable", received=f"{path} ({type(error).__name__})"
        ) from None
    if whole.size != (size, size):
        whole = whole.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(whole)
