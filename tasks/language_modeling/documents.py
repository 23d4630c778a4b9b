"""The documents of each split: of a user's files, a prepared data set, or the pinned wheels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from suite.api import DataError, SourceRequest, read_text
from tasks.common.sources import SPLIT_STEMS
from tasks.common.user_folders import TEXT_SUFFIXES, folder_of, visible

if TYPE_CHECKING:
    from pathlib import Path

NUM_READ = 8_000
"""The number of bytes that tell whether a file is binary, as for Git."""
SPLITS = ("train", "validation", "test")
Documents = dict[str, list[str]]
"""The documents of each split that the source has; train is always there."""


def find_texts(path: Path) -> dict[str, list[Path]]:
    """Return the files of each split of a user's texts, each a document.

    A split is a file or a folder of files with the name of the split. A single file, and a folder
    without any such name, are returned as train. Hidden files and binary ones are left out.

    Raises:
        DataError: the path does not exist, train has no file, or two entries name one split.
    """
    if path.is_file():
        return {"train": [path]}
    if not path.is_dir():
        raise DataError("A text file or a folder of them must exist", received=f"files:{path}")
    entries = visible(path)
    found: dict[str, list[Path]] = {}
    for split, stems in SPLIT_STEMS.items():
        named = [entry for entry in entries if entry.stem.lower() in stems]
        if len(named) > 1:
            received = f"{', '.join(entry.name for entry in named)} in {path}"
            raise DataError(f"A folder of texts has one {split} split", received=received)
        if named:
            found[split] = named if named[0].is_file() else list(_documents_below(named[0]))
    found = found or {"train": [entry for entry in entries if _is_document(entry)]}
    if not found.get("train"):
        names = ", ".join(entry.name for entry in entries[:5]) or "nothing"
        raise DataError(
            "A folder of texts holds documents, or a file or folder named "
            f"{' or '.join(SPLIT_STEMS['train'])}",
            received=f"{names} in {path}",
        )
    return found


def _documents_below(folder: Path) -> Iterator[Path]:
    for entry in visible(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _documents_below(entry)
        elif _is_document(entry):
            yield entry


def _is_document(path: Path) -> bool:
    """Return whether a file is a text: one with another ending has no zero byte at its start."""
    if not path.is_file():
        return False
    if path.suffix.lower() in TEXT_SUFFIXES:
        return True
    with path.open("rb") as file:
        return b"\0" not in file.read(NUM_READ)


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
    paths = find_texts(folder_of(request))
    return {split: [read_text(path) for path in files] for split, files in paths.items()}, {}


def by_digest(documents: Sequence[str]) -> list[int]:
    """Return the indices of documents in an order that depends on their contents alone."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in documents]
    return sorted(range(len(documents)), key=digests.__getitem__)


def join(documents: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the text of each split: its documents, joined by line breaks."""
    return {split: "\n".join(texts) for split, texts in documents.items()}
