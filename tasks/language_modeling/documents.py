"""The documents of each split: of a user's files, a prepared data set, or the pinned wheels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.api import DataError, SourceRequest
from tasks.common.sources import SPLIT_STEMS

SPLITS = ("train", "validation", "test")
Documents = dict[str, list[str]]
"""The documents of each split that the source has; train is always there."""


def find_texts(path: Path) -> dict[str, list[Path]]:
    """Return the files of each split of a user's texts, each a document.

    A split is a file or a folder of files with the name of the split. A single file, and a folder
    without any such name, are returned as train. Hidden files are left out.

    Raises:
        DataError: the path does not exist, train has no file, or two entries name one split.
    """
    if path.is_file():
        return {"train": [path]}
    if not path.is_dir():
        raise DataError("A text file or a folder of them must exist", received=f"files:{path}")
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    found: dict[str, list[Path]] = {}
    for split, stems in SPLIT_STEMS.items():
        named = [entry for entry in entries if entry.stem.lower() in stems]
        if len(named) > 1:
            received = f"{', '.join(entry.name for entry in named)} in {path}"
            raise DataError(f"A folder of texts has one {split} split", received=received)
        if named:
            found[split] = _files_of(named[0])
    found = found or {"train": [entry for entry in entries if entry.is_file()]}
    if not found.get("train"):
        names = ", ".join(entry.name for entry in entries[:5]) or "nothing"
        raise DataError(
            "A folder of texts holds documents, or a file or folder named "
            f"{' or '.join(SPLIT_STEMS['train'])}",
            received=f"{names} in {path}",
        )
    return found


def _files_of(entry: Path) -> list[Path]:
    if entry.is_file():
        return [entry]
    files = sorted(entry.rglob("*"))
    hidden = (any(part.startswith(".") for part in file.relative_to(entry).parts) for file in files)
    return [file for file, out in zip(files, hidden, strict=True) if file.is_file() and not out]


def read_documents(request: SourceRequest, tfds_name: str) -> tuple[Documents, dict[str, Any]]:
    """Return the documents of each split of a source, and facts about it."""
    if request.kind == "synthetic":
        from tasks.language_modeling.synthetic_language import draw_texts

        return {split: [text] for split, text in draw_texts().items()}, {}
    if request.kind == "code":
        from tasks.language_modeling.code_wheels import WHEELS
        from tasks.language_modeling.code_wheels import read_documents as read_code

        return {"train": read_code(request)}, {"wheels": list(WHEELS)}
    if request.kind == "tfds":
        from tasks.common.tfds import describe_prepared, open_prepared, read_prepared

        name = request.argument or tfds_name
        builder = open_prepared(name, request)
        documents = {
            split: [
                example["text"].decode("utf-8", "replace")
                for example in read_prepared(builder, split)
            ]
            for split in SPLITS
            if split in builder.info.splits
        }
        return documents, dict(describe_prepared(name, request))
    from tasks.common.sources import read_text

    paths = find_texts(Path(request.argument).expanduser())
    return {split: [read_text(path) for path in files] for split, files in paths.items()}, {}


def by_digest(documents: Sequence[str]) -> list[int]:
    """Return the indices of documents in an order that depends on their contents alone."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in documents]
    return sorted(range(len(documents)), key=digests.__getitem__)


def join(documents: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the text of each split: its documents, joined by line breaks."""
    return {split: "\n".join(texts) for split, texts in documents.items()}
