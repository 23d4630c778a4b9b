"""Users' text files: UTF-8 with any line ends, and the rows of tables."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from suite.api.errors import DataError

TABLE_SUFFIXES = (".tsv", ".csv", ".jsonl")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
"""A value in quotes, as CSV writes it: a quote inside is doubled."""
_SPACED_QUOTE = re.compile(r'(?:^|,) +"')
"""The begin of such a value, after a space that makes the quote a character of the value."""
SURROGATE = re.compile("[\ud800-\udfff]")
"""A lone surrogate: one half of a pair of UTF-16, which UTF-8 cannot hold."""


def read_text(path: Path, *, may_be_blank: bool = False) -> str:
    """Read a UTF-8 file; a byte order mark is removed.

    Lines may end with a line feed, a carriage return or both; in the text, a line feed ends them.

    Raises:
        DataError: the file cannot be read, is not UTF-8, or lacks text that it must have.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            "A text file must be readable", received=f"{path} ({error.strerror})"
        ) from None
    # Without a byte order mark, half of the bytes of English in UTF-16 are 0.
    has_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if has_mark or 4 * content.count(0) > len(content):
        raise DataError(
            "A text file must be UTF-8",
            received=f"{path} in UTF-16 or UTF-32",
            remedy="Convert the file, for example with iconv -f UTF-16 -t UTF-8",
        )
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = _unify_line_ends(content[: error.start].decode("latin-1")).count("\n") + 1
        raise DataError(
            "A text file must be UTF-8",
            received=f"byte 0x{content[error.start]:02x} at {path}:{line}",
            remedy="Convert the file, for example with iconv",
        ) from None
    if not may_be_blank and not text.strip():
        raise DataError("A text file must not be empty", received=path)
    return _unify_line_ends(text)


def _unify_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_rows(path: Path) -> Iterator[tuple[Any, str]]:
    """Yield each row of a table, and its place: the file and the line where the row begins.

    A row is a dictionary of its values by column. TSV and CSV files have a header; blank lines
    between rows are skipped. A quote in a TSV file is a character, unless all values that begin
    with a quote are quoted as in CSV. A line of a JSONL file is an object, or any other JSON value.

    Raises:
        DataError: the file cannot be read (see `read_text`) or is malformed, or two columns have
            the same name.
    """
    text, suffix = read_text(path), path.suffix.lower()
    rows = _json_rows(text, path) if suffix == ".jsonl" else _delimited_rows(text, path)
    for line, row in rows:
        yield row, f"{path}:{line}"


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            raise DataError(
                "Each line of a JSONL file must be JSON", received=f"{path}:{number}"
            ) from None
        if isinstance(row, _Pairs):
            _check_names([name for name, _ in row], f"{path}:{number}")
            row = dict(row)
        yield number, row


class _Pairs(list[tuple[str, object]]):
    """The names and values of a JSON object, in which a name may occur twice."""


def _delimited_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(sys.maxsize)  # the default limit is 128 KiB
    tabs = path.suffix.lower() == ".tsv"
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
    if tabs:
        begun = [value for value in re.split(r"[\t\n]", text) if value.startswith('"')]
        if not all(map(_QUOTED.fullmatch, begun)):
            quoting = csv.QUOTE_NONE
    lines = text.split("\n")
    reader = csv.reader(
        io.StringIO(text), delimiter="\t" if tabs else ",", quoting=quoting, strict=True
    )
    header: list[str] = []
    begin = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise DataError(
                "A quoted value must end with a quote, before a comma or the end of the line",
                received=f"a row that begins at {path}:{begin} ({error})",
                remedy='Write a quote inside a quoted value as ""',
            ) from None
        if row is None:
            return
        line, begin = begin, reader.line_num + 1
        if not tabs:
            _check_quotes(row, "\n".join(lines[line - 1 : begin - 1]), f"{path}:{line}")
        # The row "" has an empty value if the table has one column.
        if not row or (len(row) == 1 != len(header) and not row[0].strip()):
            continue
        if not header:
            header = [name.strip() for name in row]
            _check_names(header, f"{path}:{line}")
            continue
        if len(row) != len(header):
            is_index = len(row) == len(header) + 1 and row[0].strip().isdecimal()
            raise DataError(
                f"Each row must have {len(header)} columns, like the header",
                received=f"{len(row)} columns at {path}:{line}",
                remedy="The first column is likely an index: remove it, or name it in the header"
                if is_index
                else "",
            )
        yield line, dict(zip(header, row, strict=True))


def _check_quotes(row: Sequence[str], source: str, place: str) -> None:
    """Check that no value of a row has quotes after a space; `source` is the text of the row."""
    spaced = [value for value in row if value[:1] == " " and _QUOTED.fullmatch(value.strip())]
    if spaced and _SPACED_QUOTE.search(source):
        raise DataError(
            "A quoted value must begin with its quote, right after the comma",
            received=f"{spaced[0]!r:.40} at {place}",
            remedy="Remove the space between the comma and the quote",
        )


def _check_names(names: Sequence[str], place: str) -> None:
    """Check that no name of a column occurs twice, in any case; an empty one may."""
    counts = Counter(name.lower() for name in names if name)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise DataError(
            "Each column must have a name of its own",
            received=f"{', '.join(map(repr, twice))} more than once at {place}",
            remedy="Rename or remove a column",
        )
