"""Texts of a user's file for predictions: one a line, or in a column of a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.api import TABLE_SUFFIXES, DataError, Options, RawText, read_rows, read_text


def read_texts(
    path: Path, task: RawText | None = None, options: Options | None = None
) -> list[str]:
    """Return the texts of a file in UTF-8.

    The rows of tables are read as for training; a line of a JSONL file may also be a text in
    quotes. `RawText.raw_text` of the task with its options finds the text of a row. All other files
    have a text on each line, of which some may be empty.

    Raises:
        DataError: the file cannot be read, or a row of it has no text.
    """
    task = task or RawText()
    if path.suffix.lower() not in TABLE_SUFFIXES:
        return read_text(path, may_be_blank=True).removesuffix("\n").split("\n")
    return [_text_of(row, place, task, options or {}) for row, place in read_rows(path)]


def _text_of(row: Any, place: str, task: RawText, options: Options) -> str:
    if isinstance(row, str):
        return row
    is_row = isinstance(row, Mapping)
    text = task.raw_text(row, options) if is_row else None
    if text is None:
        raise DataError(
            "A row of a table must have a text in a column such as "
            f"{task.text_columns()[0]!r}; other lines of a JSONL file are texts in quotes",
            received=f"{', '.join(row)} at {place}" if is_row and row else place,
            remedy="Rename the column, or give a text file with one text a line",
        )
    return text
