"""Tables of labelled texts: TSV, CSV and JSONL files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from suite.api import DataError, read_rows

MISSING = frozenset({"", "nan", "null"})
"""The values, in lower case, that say that a value is missing."""
LIKE_MISSING = frozenset({"na", "n/a", "none", "<na>", "#n/a", "-nan", "nat"})
"""Further such values of pandas and of spreadsheets, which may be names of classes too."""


def read_table(
    path: Path,
    text_columns: tuple[str, ...],
    label_columns: tuple[str, ...],
    label: str = "label",
) -> Iterator[tuple[str, str, str]]:
    """Yield text, label and location of each row; spaces around a label are removed.

    The text is in the first of `text_columns` that the table has, and the label in the first of
    `label_columns`. The case of names does not matter. `label` is what errors and options call it.

    Raises:
        DataError: the table is malformed, lacks one of the columns, or has a row without a value or
            with a label in quotes.
    """
    columns: tuple[str, str] | None = None
    labels: set[str] = set()
    of_lines: dict[str, str] = {}
    for row, place in read_rows(path):
        if not isinstance(row, Mapping):
            raise DataError("Each line of a JSONL file must be a JSON object", received=place)
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
        answer = answer.strip()
        if label == "label" and len(answer) > 1 and answer[0] == answer[-1] == '"':
            raise DataError(
                "A label must not have quotes around it",
                received=f"{answer} at {place}",
                remedy="Remove the quotes, or quote the whole value as in CSV",
            )
        if label == "label" and path.suffix.lower() == ".csv" and "\n" in text:
            of_lines[place] = text
        labels.add(answer)
        yield text, answer, place
    for place, text in of_lines.items():
        if _holds_rows(text, labels):
            raise DataError(
                "A quoted value must end with a quote, before a comma or the end of the line",
                received=f"a row that begins at {place} (the lines of its text look like rows)",
                remedy='Write a quote inside a quoted value as ""',
            )


def _holds_rows(text: str, labels: Collection[str]) -> bool:
    """Return whether the lines of a text are rows, as between two quotes that no quote ends.

    They are if each line but the last ends with a label, or each but the first begins with one.
    """
    lines = text.split("\n")
    ends = (line.rpartition(",")[1:] for line in lines[:-1])
    begins = (line.partition(",")[1::-1] for line in lines[1:])
    return any(all(comma and label in labels for comma, label in part) for part in (ends, begins))


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
