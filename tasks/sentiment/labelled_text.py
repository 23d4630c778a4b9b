"""A user's labelled texts: tables (TSV, CSV, JSONL) with a header, or a folder for each label."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from suite.api.errors import DataError
from tasks.common.sources import SPLIT_STEMS, read_text

Labelled = tuple[str, str]
"""A text and its label, as it stands in the file."""

TEXT_COLUMNS = ("text", "review", "sentence", "content", "document", "comment", "tweet")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "target", "polarity")
SUFFIXES = (".tsv", ".csv", ".jsonl")


def find_splits(folder: Path) -> dict[str, Path]:
    """Return what holds each split: a table, or a folder with one folder for each label.

    Validation may be missing.

    Raises:
        DataError: there is no such folder, or train or test is missing or there twice.
    """
    if not folder.is_dir():
        raise DataError("A folder of labelled texts must exist", received=f"files:{folder}")
    found = {}
    for split, stems in SPLIT_STEMS.items():
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.stem.lower() in stems and (path.is_dir() or path.suffix.lower() in SUFFIXES)
        )
        if len(paths) > 1 or (not paths and split != "validation"):
            there = ", ".join(path.name for path in paths) or "none of them"
            raise DataError(
                f"A folder of labelled texts holds {stems[0]}.tsv, .csv or .jsonl, or a folder "
                f"{stems[0]}/ with a folder for each label",
                received=f"{there} in {folder}",
            )
        if paths:
            found[split] = paths[0]
    return found


def list_files(folder: Path) -> list[Path]:
    """Return every file that `read_splits` reads.

    Raises:
        DataError: as `find_splits`.
    """
    files = []
    for path in find_splits(folder).values():
        files += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return files


def read_splits(
    folder: Path, text_column: str = "", label_column: str = ""
) -> dict[str, list[Labelled]]:
    """Read all splits.

    Raises:
        DataError: as `find_splits`; a table is malformed; there is one label only; a label of
            another split is unknown to train.
    """
    found = {}
    labels: set[str] = set()
    for split, path in find_splits(folder).items():
        read = (
            _read_folders(path) if path.is_dir() else _read_table(path, text_column, label_column)
        )
        rows = []
        for text, label, place in read:
            if split != "train" and label not in labels:
                raise DataError(
                    "Every label must occur in the training split",
                    received=f"{label!r} at {place}; train has: {', '.join(sorted(labels)[:20])}",
                )
            rows.append((text, label))
        if not rows:
            raise DataError("A split must hold at least one text", received=path)
        if split == "train":
            labels = {label for _, label in rows}
            if len(labels) < 2:
                raise DataError(
                    "Training texts must have at least two labels",
                    received=f"{', '.join(labels)} alone in {path}",
                )
        found[split] = rows
    return found


def _read_folders(folder: Path) -> Iterator[tuple[str, str, str]]:
    for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(path for path in inside.iterdir() if path.is_file()):
            yield read_text(path), inside.name, str(path)


def _read_table(path: Path, text_column: str, label_column: str) -> Iterator[tuple[str, str, str]]:
    rows = _json_rows(path) if path.suffix.lower() == ".jsonl" else _delimited_rows(path)
    columns: tuple[str, str] | None = None
    for line, row in rows:
        if columns is None:
            columns = (
                _choose(text_column, TEXT_COLUMNS, row, "text", path),
                _choose(label_column, LABEL_COLUMNS, row, "label", path),
            )
        values = [row.get(column) for column in columns]
        if any(value is None or value == "" for value in values):
            missing = [c for c, value in zip(columns, values, strict=True) if value in (None, "")]
            raise DataError(
                "Each row must have a text and a label",
                received=f"no {' and no '.join(missing)} at {path}:{line}",
            )
        yield str(values[0]), str(values[1]), f"{path}:{line}"


def _choose(
    named: str, usual: tuple[str, ...], row: Mapping[str, object], what: str, path: Path
) -> str:
    known = {name.lower(): name for name in row}
    for name in (named.lower(),) if named else usual:
        if name in known:
            return known[name]
    looked_for = repr(named) if named else f"one of {', '.join(usual)}"
    raise DataError(
        f"A table must have a column for the {what}: {looked_for}",
        received=f"{', '.join(row)} in {path}",
        remedy=f"Name it with --option {what}_column=NAME",
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
                "Each line of a JSONL file is one JSON object", received=f"{path}:{number}"
            )
        yield number, row


def _delimited_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(sys.maxsize)  # a review may be a megabyte
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
                f"Each row has {len(header)} columns, as the header",
                received=f"{len(row)} columns at {path}:{reader.line_num}",
            )
        yield reader.line_num, dict(zip(header, row, strict=True))
