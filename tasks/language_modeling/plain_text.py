"""A user's running text: one file, or a folder with a file for each split."""

from __future__ import annotations

from pathlib import Path

from suite.api import DataError
from tasks.common.sources import SPLIT_STEMS


def find_texts(path: Path) -> dict[str, Path]:
    """Return the file of each split; a single file is returned as train.

    Raises:
        DataError: the path does not exist, train has no file, or a split has more than one.
    """
    if path.is_file():
        return {"train": path}
    if not path.is_dir():
        raise DataError("A text file or a folder of them must exist", received=f"files:{path}")
    files = {}
    for split, stems in SPLIT_STEMS.items():
        named = sorted(p for p in path.iterdir() if p.is_file() and p.stem.lower() in stems)
        if len(named) > 1 or (not named and split == "train"):
            received = ", ".join(p.name for p in named) or "none of them"
            raise DataError(
                f"A folder of texts holds one file named {' or '.join(stems)} for {split}",
                received=f"{received} in {path}",
            )
        if named:
            files[split] = named[0]
    return files
