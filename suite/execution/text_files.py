"""Texts of a user's file: one a line, or in a column of a table."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from suite.api import Options
from suite.api.errors import DataError
from suite.api.raw_text import RawText

DELIMITERS = {".csv": ",", ".tsv": "\t"}
"""The delimiter of a table by the ending of its file."""


def read_texts(
    path: Path, task: RawText | None = None, options: Options | None = None
) -> list[str]:
    """Return the texts of a file in UTF-8, with or without a byte order mark.

    The lines of a JSONL file are texts in quotes, or objects. CSV and TSV files have a header.
    `RawText.raw_text` of the task with its options finds the text of a row or an object. All other
    files have a text on each line, of which some may be empty. A line ends with a line feed, a
    carriage return or both, and with no other character.

    Raises:
        DataError: the file cannot be read, or a line of it has no text.
    """
    task = task or RawText()
    content = _read(path)
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        rows = _json_rows(content, path)
    elif suffix in DELIMITERS:
        rows = _table_rows(content, path, DELIMITERS[suffix])
    else:
        return content.removesuffix("\n").split("\n")
    return [_text_of(row, place, task, options or {}) for row, place in rows]


def _read(path: Path) -> str:
    try:
        # Python reads each end of a line as a line feed.
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        raise DataError("The texts are in a file in UTF-8", received=f"{path}: {reason}") from None


def _json_rows(content: str, path: Path) -> Iterator[tuple[Any, str]]:
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line), f"{path}:{number}"
            except ValueError:
                yield None, f"{path}:{number}"


def _table_rows(content: str, path: Path, delimiter: str) -> Iterator[tuple[Any, str]]:
    csv.field_size_limit(sys.maxsize)  # the default limit is 128 KiB
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(content), delimiter=delimiter, quoting=quoting, strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            place = f"{path}:{reader.line_num}"
            if not row:
                continue
            if header is None:
                header = [name.strip() for name in row]
            elif len(row) != len(header):
                raise DataError(
                    f"Each row must have {len(header)} columns, like the header",
                    received=f"{len(row)} columns at {place}",
                )
            else:
                yield dict(zip(header, row, strict=True)), place
    except csv.Error as error:
        raise DataError(
            "A quoted value must end with a quote, before a comma or the end of the line",
            received=f"{path}:{reader.line_num} ({error})",
        ) from None


def _text_of(row: Any, place: str, task: RawText, options: Options) -> str:
    if isinstance(row, str):
        return row
    is_row = isinstance(row, Mapping)
    text = task.raw_text(row, options) if is_row else None
    if text is None:
        raise DataError(
            "A row of a table, or an object of a JSONL file, must have a text in a column such as "
            f"{task.text_columns()[0]!r}; other lines of a JSONL file are texts in quotes",
            received=f"{', '.join(row)} at {place}" if is_row and row else place,
            remedy="Rename the column, or give a text file with one text a line",
        )
    return text
