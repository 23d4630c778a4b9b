"""A user's documents for pretraining."""

from __future__ import annotations

import re
from pathlib import Path

from suite.api import digest_paths, read_text

BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")


def read_documents(path: str) -> list[str]:
    """Return the documents of a file: blank lines separate them, or else each line is one.

    Raises:
        DataError: the file cannot be read, is not in UTF-8, or is empty.
    """
    text = read_text(Path(path).expanduser()).strip()
    parts = BLANK_LINES.split(text) if BLANK_LINES.search(text) else text.split("\n")
    return [" ".join(part.split()) for part in parts]


def digest_documents(path: str) -> str:
    """Return a digest of the bytes of a file."""
    return digest_paths([Path(path).expanduser()])
