"""The raw files of Multi30k's task 1: where they lie, and their lines."""

from __future__ import annotations

import gzip
from pathlib import Path

from suite.api.errors import DataError

NAME = "multi30k"
LANGUAGES = {"en_de": ("en", "de"), "en_fr": ("en", "fr")}
STEMS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
FOLDER = Path("downloads", "manual")
"""Where TFDS has files that the user lays there, below the folder of data sets."""

Lines = dict[str, tuple[list[str], list[str]]]


def read_raw(folder: Path, pair: str) -> Lines:
    """Read the lines of both languages of each split, white space at their ends left out.

    `pair` is "en_de" or "en_fr"; a file may be plain or packed (`.gz`).

    Raises:
        DataError: there is no such pair, a file is not there or no UTF-8, or the two languages of a
            split have not as many lines.
    """
    if pair not in LANGUAGES:
        raise DataError(f"Multi30k has the pairs {', '.join(LANGUAGES)}", received=pair)
    found = {}
    for split, stem in STEMS.items():
        first, second = (_read_lines(folder, f"{stem}.{one}") for one in LANGUAGES[pair])
        if len(first) != len(second):
            raise DataError(
                "Both languages of Multi30k have as many lines",
                received=f"{len(first):,} and {len(second):,} in {split}, in {folder}",
            )
        found[split] = (first, second)
    return found


def _read_lines(folder: Path, name: str) -> list[str]:
    plain, packed = folder / name, folder / f"{name}.gz"
    if not (plain.exists() or packed.exists()):
        raise DataError(
            "TFDS cannot download Multi30k: its raw files are laid into downloads/manual below the "
            "folder of data sets",
            received=f"neither {plain.name} nor {packed.name} in {folder}",
        )
    try:
        content = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    except (OSError, EOFError) as error:
        raise DataError("A file must be readable", received=f"{packed}: {error}") from None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            "A file of text must be UTF-8", received=f"{folder / name}:{line}"
        ) from None
    return [line.strip() for line in text.removesuffix("\n").split("\n")]
