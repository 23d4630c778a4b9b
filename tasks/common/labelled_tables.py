"""Tables of labelled texts: TSV and CSV files with a header, and JSONL files."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from suite.api import DataError
from tasks.common.sources import SPLIT_STEMS, read_text

TABLE_SUFFIXES = (".tsv", ".csv", ".jsonl")


def find_split_paths(
    folder: Path, content: str, accepts: Callable[[Path], bool], described: str
) -> dict[str, Path]:
    """Return the path of each split in a folder of `content`; validation is optional.

    `accepts` says whether a path may be a split. `described` says which paths may, for errors.

    Raises:
        DataError: the folder does not exist, train or test is missing, or a split has two paths.
    """
    if not folder.is_dir():
        raise DataError(f"A folder of {content} must exist", received=f"files:{folder}")
    splits = {}
    for split, stems in SPLIT_STEMS.items():
        paths = sorted(
            path for path in folder.iterdir() if path.stem.lower() in stems and accepts(path)
        )
        if len(paths) > 1 or (not paths and split != "validation"):
            received = ", ".join(path.name for path in paths) or "none of them"
            raise DataError(
                f"A folder of {content} holds {described.format(split=stems[0])}",
                received=f"{received} in {folder}",
            )
        if paths:
            splits[split] = paths[0]
    return splits


def read_table(
    path: Path,
    text_columns: tuple[str, ...],
    label_columns: tuple[str, ...],
    label: str = "label",
) -> Iterator[tuple[str, str, str]]:
    """Yield text, label and location of each row, unchanged from the file.

    The text is in the first of `text_columns` that the table has, whatever the case of its name,
    and the label in the first of `label_columns`. `label` is what errors and options call it.

    Raises:
        DataError: the table is malformed, lacks one of the columns, or has a row without a value.
    """
    rows = _json_rows(path) if path.suffix.lower() == ".jsonl" else _delimited_rows(path)
    columns: tuple[str, str] | None = None
    for line, row in rows:
        if columns is None:
            columns = (
                _choose_column(text_columns, row, "text", path),
                _choose_column(label_columns, row, label, path),
            )
        values = [row.get(column) for column in columns]
        if any(value is None or value == "" for value in values):
            missing = [c for c, value in zip(columns, values, strict=True) if value in (None, "")]
            raise DataError(
                f"Each row must have a text and a {label}",
                received=f"no {' and no '.join(missing)} at {path}:{line}",
            )
        yield str(values[0]), str(values[1]), f"{path}:{line}"


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
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise DataError(
                "Each line of a JSONL file must be a JSON object", received=f"{path}:{number}"
            )
        yield number, row


def _delimited_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(sys.maxsize)  # the default limit is 128 KiB
    tabs = path.suffix.lower() == ".tsv"
    lines = io.StringIO(read_text(path), newline="")
    reader = csv.reader(
        lines,
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
    )
    header: list[str] | None = None
    for row in reader:
        if not row:
            continue
        if header is None:
            header = row
            continue
        if len(row) != len(header):
            raise DataError(
                f"Each row must have {len(header)} columns, like the header",
                received=f"{len(row)} columns at {path}:{reader.line_num}",
            )
        yield reader.line_num, dict(zip(header, row, strict=True))
