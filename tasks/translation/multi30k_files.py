"""The raw files of Multi30k's task 1."""

from __future__ import annotations

import gzip
from pathlib import Path

from suite.api import DataError

LANGUAGES = {"en_de": ("en", "de"), "en_fr": ("en", "fr")}
STEMS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}

Lines = dict[str, tuple[list[str], list[str]]]


def read_raw_files(folder: Path, pair: str) -> Lines:
    """Read the stripped lines of both languages of each split.

    `pair` is "en_de" or "en_fr". A file may be plain or compressed (`.gz`).

    Raises:
        DataError: the pair is unknown, a file is missing or is not UTF-8, or the two languages of
            a split have different numbers of lines.
    """
    if pair not in LANGUAGES:
        raise DataError(f"Multi30k has the pairs {', '.join(LANGUAGES)}", received=pair)
    splits = {}
    for split, stem in STEMS.items():
        first, second = (_read_lines(folder, f"{stem}.{language}") for language in LANGUAGES[pair])
        if len(first) != len(second):
            raise DataError(
                "Both languages of Multi30k must have the same number of lines",
                received=f"{len(first):,} and {len(second):,} in {split}, in {folder}",
            )
        splits[split] = (first, second)
    return splits


def _read_lines(folder: Path, name: str) -> list[str]:
    plain, compressed = folder / name, folder / f"{name}.gz"
    if not (plain.exists() or compressed.exists()):
        raise DataError(
            "TFDS cannot download Multi30k",
            received=f"neither {plain.name} nor {compressed.name} in {folder}",
            remedy="Put the raw files of its task 1 into downloads/manual in the folder of data "
            "sets",
        )
    try:
        content = plain.read_bytes() if plain.exists() else gzip.decompress(compressed.read_bytes())
    except (OSError, EOFError) as error:
        raise DataError("A file must be readable", received=f"{compressed}: {error}") from None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError("A text file must be UTF-8", received=f"{folder / name}:{line}") from None
    return [line.strip() for line in text.removesuffix("\n").split("\n")]
