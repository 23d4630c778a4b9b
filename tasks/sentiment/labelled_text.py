"""A user's labelled texts: tables (TSV, CSV, JSONL) with a header, or a folder for each label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from suite.api import TABLE_SUFFIXES, DataError, read_text
from tasks.common.labelled_tables import read_table
from tasks.common.user_folders import TEXT_SUFFIXES, find_split_paths, visible

Labelled = tuple[str, str]
"""A text, unchanged from the file, and its label."""

TEXT_COLUMNS = ("text", "review", "sentence", "content", "document", "comment", "tweet")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "target", "polarity")
_ENDING = re.compile(r"\.[A-Za-z]\w{0,5}")
"""An ending that tells a format: neither a number nor a hash, as in `0001.7c53336b`."""


def find_splits(folder: Path) -> dict[str, Path]:
    """Return the path of each split: a table, or a folder with one folder for each label.

    Validation is optional.

    Raises:
        DataError: the folder does not exist, train or test is missing, or a split has two paths.
    """
    return find_split_paths(
        folder,
        "labelled texts",
        lambda path: path.is_dir() or path.suffix.lower() in TABLE_SUFFIXES,
        "{split}.tsv, .csv or .jsonl, or a folder {split}/ with a folder for each label",
    )


def list_files(folder: Path) -> list[Path]:
    """Return all files that `read_splits` reads.

    Raises:
        DataError: the folder is malformed (see `find_splits`).
    """
    return [
        file
        for path in find_splits(folder).values()
        for file in ([path] if path.is_file() else [text for _, text in _list_texts(path)])
    ]


def read_splits(
    folder: Path, text_column: str = "", label_column: str = ""
) -> dict[str, list[Labelled]]:
    """Read the texts and labels of each split.

    Raises:
        DataError: the folder is malformed (see `find_splits`), a table is malformed, train has only
            one label, or another split has a label that train lacks.
    """
    splits = {}
    labels: set[str] = set()
    for split, path in find_splits(folder).items():
        labelled = (
            _read_folders(path)
            if path.is_dir()
            else read_table(
                path,
                (text_column,) if text_column else TEXT_COLUMNS,
                (label_column,) if label_column else LABEL_COLUMNS,
            )
        )
        rows = []
        for text, label, location in labelled:
            if split != "train" and label not in labels:
                known = ", ".join(sorted(labels)[:20])
                raise DataError(
                    "Every label must occur in the training split",
                    received=f"{label!r} at {location}; train has: {known}",
                )
            rows.append((text, label))
        if not rows:
            raise DataError(
                "A split must hold at least one text: a row of a table, or a file LABEL/NAME.txt",
                received=path,
            )
        if split == "train":
            labels = {label for _, label in rows}
            if len(labels) < 2:
                raise DataError(
                    "Training texts must have at least two labels",
                    received=f"only {', '.join(labels)} in {path}",
                )
        splits[split] = rows
    return splits


def _read_folders(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield text, label and location of each file."""
    for label, path in _list_texts(folder):
        yield read_text(path), label, str(path)


def _list_texts(folder: Path) -> list[tuple[str, Path]]:
    """Return the label and the path of each text of a split."""
    return [
        (label_folder.name.strip(), path)
        for label_folder in visible(folder)
        if label_folder.is_dir()
        for path in visible(label_folder)
        if path.is_file() and _is_text(path)
    ]


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in TEXT_SUFFIXES or not _ENDING.fullmatch(path.suffix)
