"""A user's documents for pretraining."""

from __future__ import annotations

import re
from pathlib import Path

from suite.api import DataError, digest_paths

BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")


def read_documents(path: str) -> list[str]:
    """Return the documents of a file: blank lines separate them, or else each line is one.

    Raises:
        DataError: the file cannot be read, is not in UTF-8, or is empty.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        raise DataError(
            "Documents for pretraining are in a file in UTF-8", received=f"{path}: {reason}"
        ) from None
    parts = BLANK_LINES.split(text) if BLANK_LINES.search(text) else text.split("\n")
    documents = [" ".join(part.split()) for part in parts]
    if not text:
        raise DataError(
            "A file of documents has one on each line, or blank lines between them",
            received=f"{path}, which is empty",
        )
    return documents


def digest_documents(path: str) -> str:
    """Return a digest of the bytes of a file."""
    return digest_paths([Path(path).expanduser()])
