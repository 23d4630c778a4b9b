"""A user's labelled texts: tables (TSV, CSV, JSONL) with a header, or a folder for each label."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from suite.api import DataError
from tasks.common.sources import SPLIT_STEMS, read_text

Labelled = tuple[str, str]
"""A text and its label, unchanged from the file."""

TEXT_COLUMNS = ("text", "review", "sentence", "content", "document", "comment", "tweet")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "target", "polarity")
SUFFIXES = (".tsv", ".csv", ".jsonl")


def find_splits(folder: Path) -> dict[str, Path]:
    """Return the path of each split: a table, or a folder with one folder for each label.

    Validation is optional.

    Raises:
        DataError: the folder does not exist, train or test is missing, or a split has two paths.
    """
    if not folder.is_dir():
        raise DataError("A folder of labelled texts must exist", received=f"files:{folder}")
    splits = {}
    for split, stems in SPLIT_STEMS.items():
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.stem.lower() in stems and (path.is_dir() or path.suffix.lower() in SUFFIXES)
        )
        if len(paths) > 1 or (not paths and split != "validation"):
            received = ", ".join(path.name for path in paths) or "none of them"
            raise DataError(
                f"A folder of labelled texts holds {stems[0]}.tsv, .csv or .jsonl, or a folder "
                f"{stems[0]}/ with a folder for each label",
                received=f"{received} in {folder}",
            )
        if paths:
            splits[split] = paths[0]
    return splits


def list_files(folder: Path) -> list[Path]:
    """Return all files that `read_splits` reads.

    Raises:
        DataError: the folder is malformed (see `find_splits`).
    """
    files = []
    for path in find_splits(folder).values():
        files += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return files


def read_splits(
    folder: Path, text_column: str = "", label_column: str = ""
) -> dict[str, list[Labelled]]:
    """Read the texts and labels of each split.

    Raises:
        DataError: the folder is malformed (see `find_splits`), a table is malformed, train has only
            one label, or another split has a label that
            train lacks.
    """
    splits = {}
    labels: set[str] = set()
    for split, path in find_splits(folder).items():
        labelled = (
            _read_folders(path) if path.is_dir() else _read_table(path, text_column, label_column)
        )
        rows = []
        for text, label, location in labelled:
            if split != "train" and label not in labels:
                known = ", ".join(sorted(labels)[:20])
                raise DataError(
                    "Every label must occur in the training split",
                    received=f"{label!r} at {location}; train has: {known}",
                )
            rows.append((text, label))
        if not rows:
            raise DataError("A split must hold at least one text", received=path)
        if split == "train":
            labels = {label for _, label in rows}
            if len(labels) < 2:
                raise DataError(
                    "Training texts must have at least two labels",
                    received=f"only {', '.join(labels)} in {path}",
                )
        splits[split] = rows
    return splits


def _read_folders(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield text, label and location of each file."""
    for label_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(path for path in label_folder.iterdir() if path.is_file()):
            yield read_text(path), label_folder.name, str(path)


def _read_table(path: Path, text_column: str, label_column: str) -> Iterator[tuple[str, str, str]]:
    """Yield text, label and location of each row."""
    rows = _json_rows(path) if path.suffix.lower() == ".jsonl" else _delimited_rows(path)
    columns: tuple[str, str] | None = None
    for line, row in rows:
        if columns is None:
            columns = (
                _choose_column(text_column, TEXT_COLUMNS, row, "text", path),
                _choose_column(label_column, LABEL_COLUMNS, row, "label", path),
            )
        values = [row.get(column) for column in columns]
        if any(value is None or value == "" for value in values):
            missing = [c for c, value in zip(columns, values, strict=True) if value in (None, "")]
            raise DataError(
                "Each row must have a text and a label",
                received=f"no {' and no '.join(missing)} at {path}:{line}",
            )
        yield str(values[0]), str(values[1]), f"{path}:{line}"


def _choose_column(
    requested: str, usual: tuple[str, ...], row: Mapping[str, object], content: str, path: Path
) -> str:
    columns = {name.lower(): name for name in row}
    for name in (requested.lower(),) if requested else usual:
        if name in columns:
            return columns[name]
    accepted = repr(requested) if requested else f"one of {', '.join(usual)}"
    raise DataError(
        f"A table must have a column for the {content}: {accepted}",
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
