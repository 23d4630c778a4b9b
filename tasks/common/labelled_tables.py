"""Tables of labelled texts: TSV and CSV files with a header, and JSONL files."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from suite.api import DataError
from tasks.common.sources import read_text

TABLE_SUFFIXES = (".tsv", ".csv", ".jsonl")
MISSING = frozenset({"", "nan", "null"})
"""The values, in lower case, that say that a value is missing."""


def read_table(
    path: Path,
    text_columns: tuple[str, ...],
    label_columns: tuple[str, ...],
    label: str = "label",
) -> Iterator[tuple[str, str, str]]:
    """Yield text, label and location of each row; spaces around a label are removed.

    The text is in the first of `text_columns` that the table has, whatever the case of its name,
    and the label in the first of `label_columns`. `label` is what errors and options call it.

    Raises:
        DataError: the table is malformed, lacks one of the columns, or has a row without a value.
    """
    rows = _json_rows(path) if path.suffix.lower() == ".jsonl" else _delimited_rows(path)
    columns: tuple[str, str] | None = None
    for line, row in rows:
        place = f"{path}:{line}"
        if columns is None:
            columns = (
                _choose_column(text_columns, row, "text", path),
                _choose_column(label_columns, row, label, path),
            )
        text, answer = (_to_text(row.get(column), column, place) for column in columns)
        missing = [
            column
            for column, value in zip(columns, (text, answer), strict=True)
            if value.strip().lower() in MISSING
        ]
        if missing:
            raise DataError(
                f"Each row must have a text and a {label}",
                received=f"no {' and no '.join(missing)} at {place}",
                remedy="Remove the row, or fill it in",
            )
        yield text, answer.strip(), place


def _to_text(value: object, column: str, place: str) -> str:
    """Return a value as text; a missing one is empty.

    Raises:
        DataError: the value is a list or an object.
    """
    if isinstance(value, list | dict):
        raise DataError(
            f"The column '{column}' must hold texts or numbers",
            received=f"{value!r:.40} at {place}",
        )
    return "" if value is None else str(value)


def _choose_column(
    accepted: tuple[str, ...], row: Mapping[str, object], content: str, path: Path
) -> str:
    columns = {name.lower(): name for name in row}
    for name in accepted:
        if name.lower() in columns:
            return columns[name.lower()]
    named = f"one of {', '.join(accepted)}" if len(accepted) > 1 else repr(accepted[0])
    raise DataError(
        f"A table must have a column for the {content}: {named}",
        received=f"{', '.join(row)} in {path}",
        remedy=f"Name the column with --option {content}_column=NAME",
    )


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, _Pairs):
            raise DataError("Each line of a JSONL file must be a JSON object", received=place)
        _check_names([name for name, _ in row], place)
        yield number, dict(row)


class _Pairs(list[tuple[str, object]]):
    """The names and values of a JSON object, in which a name may occur twice."""


def _delimited_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the first line of each row, and its values by column."""
    csv.field_size_limit(sys.maxsize)  # the default limit is 128 KiB
    tabs = path.suffix.lower() == ".tsv"
    reader = csv.reader(
        io.StringIO(read_text(path)),
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
        strict=True,
    )
    header: list[str] | None = None
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
        if not "".join(row).strip() and len(row) < 2:
            continue
        if header is None:
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


def _check_names(names: Sequence[str], place: str) -> None:
    """Check that no name of a column occurs twice, in any case; an empty one may.

    Raises:
        DataError: a name does.
    """
    counts = Counter(name.lower() for name in names if name)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise DataError(
            "Each column must have a name of its own",
            received=f"{', '.join(map(repr, twice))} more than once at {place}",
            remedy="Rename or remove a column",
        )
