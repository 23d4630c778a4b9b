"""Figures of records within a Markdown page: tables and single values between comments.

```
<!-- table where="task == 'ner'" rows="entry" columns="sequence_length" value="test.entity_f1" -->
…
<!-- end -->
The best entry scores <!-- value where="…" value="test.entity_f1" format=".3f" -->0.712<!-- end -->.
```

`where` selects records by their columns, in the syntax of `pandas.DataFrame.query`. The records are
the project's own that stand. Their columns are those of
`suite.read_records(published=True).to_frame()`; `entry` leaves out the learning rate. A table has a
row for each value of `rows`, in the order of `sort`. With `columns`, it has a column for each of
their values and shows one `value`; otherwise it has a column for each `value`, headed
by the value's name or by one of `titles`. `test.accuracy@128` is the value at length 128. A figure
is the mean of the selected records, multiplied by `times` and in a `format` of Python. They are
repeats of one cell: only seed, round and machine may differ. As on the boards, costs have geometric
means, those of noisy phases are left out, and all costs of a mark are of one session: one
`invocation` on one machine.

With `of="rows"`, the rows of the leaderboard's archive take the place of the records. They have
intervals: a figure is followed by its limits.
"""

from __future__ import annotations

import io
import re
import shlex
import statistics
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from suite.analysis.aggregate import Comparison
from suite.api.errors import RequestError
from suite.records.measures import DECODING_PHASES, PHASES, phase_of
from suite.records.schema import RecordSummary

if TYPE_CHECKING:
    import pandas

START = re.compile(r"(?P<start><!-- (?P<kind>table|value)(?P<fields>\s.*?)-->)", re.DOTALL)
MARK = re.compile(START.pattern + ".*?<!-- end -->", re.DOTALL)
FIELDS = frozenset({"of", "where", "rows", "columns", "value", "titles", "times", "format", "sort"})
RECORDS, ROWS = "records", "rows"
FORMAT = ".3g"
NUMBER = re.compile("[0-9]{1,9}")
NO_FIGURE = "–"
LENGTH = "sequence_length"
CELL = (
    "mode", "task", "task_version", "source", "form", "options", "architecture_version", LENGTH,
    "batch_size", "model_size", "steps", "precision", "backend", "benchmark", "scores_test",
    "learning_rate",
)  # fmt: skip
"""The columns in which all records of one figure are equal."""
CONDITIONS = ("entry", "machine", "invocation", "cost_digest")
"""The columns that tell which costs can be compared."""
COST_PHASES = frozenset({*PHASES, *DECODING_PHASES})


class FigureError(RequestError):
    """A mark of a page that names no figure."""


def has_figures(text: str) -> bool:
    """Return whether a Markdown page has a mark of a figure."""
    return START.search(text) is not None


def fill_page(text: str, frames: Mapping[str, pandas.DataFrame]) -> str:
    """Return a Markdown page with the figures of its marks.

    `frames` has the records, and the rows of the leaderboard's archive.

    Raises:
        FigureError: a mark is not closed, has an unknown field, or selects nothing.
    """
    if len(START.findall(text)) != len(MARK.findall(text)):
        raise FigureError("Each mark of a figure needs <!-- end -->", received="a mark without it")
    return MARK.sub(lambda found: _filled(found, frames), text)


def own_standing(comparisons: Iterable[Comparison]) -> tuple[RecordSummary, ...]:
    """Return the records that stand."""
    records = (record for comparison in comparisons for record in comparison.records)
    # A run without methods is in the comparisons of both tracks.
    return tuple({record.run_id: record for record in records}.values())


def frame_of_records(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return a frame of records whose entries name no learning rate, without noisy costs."""
    if frame.empty:
        return frame
    frame = frame.copy()
    noisy = frame["noisy_phases"].str.split(", ")
    for column in filter(_is_cost, frame.columns):
        phase = phase_of(column)
        frame[column] = frame[column].mask(noisy.map(lambda phases, phase=phase: phase in phases))
    # A method has a learning rate too, behind a colon or a comma.
    entries = frame["entry"].str.replace(r"(?<=[( ])learning_rate=[^ )]+ ?", "", regex=True)
    return frame.assign(entry=entries.str.replace(" ()", "").str.replace(" )", ")"))


def frame_of_rows(archive: str) -> pandas.DataFrame:
    """Return the rows of the leaderboard's archive, a CSV file."""
    import pandas

    return pandas.read_csv(io.StringIO(archive)) if archive else pandas.DataFrame()


def _is_cost(column: str) -> bool:
    """Return whether a column is a cost of the records; the archive has no such column."""
    return column.partition(".")[0] in COST_PHASES and "." in column


def _filled(found: re.Match[str], frames: Mapping[str, pandas.DataFrame]) -> str:
    kind, written = found["kind"], found["fields"].strip()
    fields = _fields(kind, written)
    try:
        selected = _select(fields, written, frames)
        body = _table(selected, fields) if kind == "table" else _value(selected, fields)
    except (ValueError, TypeError, KeyError) as error:  # of pandas: columns of text, say
        raise FigureError(f"A mark shows means of numbers: {error}", received=written) from None
    around = "\n" if kind == "table" else ""
    return f"{found['start']}{around}{body}{around}<!-- end -->"


def _fields(kind: str, written: str) -> dict[str, str]:
    """Return the fields of a mark.

    Raises:
        FigureError: a field is unknown, missing, doubled, or has a value that it cannot have.
    """
    try:
        parts = [part.partition("=") for part in shlex.split(written)]
    except ValueError as error:
        raise FigureError(f"The fields of a mark are quoted: {error}", received=written) from None
    fields = {name: value for name, _, value in parts}
    if unknown := sorted({name for name, mark, _ in parts if not mark} | (fields.keys() - FIELDS)):
        raise FigureError(
            f'A mark has the fields {", ".join(sorted(FIELDS))}, each as in value="…"',
            received=", ".join(unknown),
        )
    needed = {"value", "rows"} if kind == "table" else {"value"}
    if missing := sorted(needed - {name for name in fields if fields[name]}):
        raise FigureError(f"A {kind} has the field {missing[0]}", received=written)
    if len(fields) < len(parts):
        raise FigureError("A mark has each field once", received=written)
    one_of = {"of": (RECORDS, ROWS), "sort": ("high", "low")}
    for name, allowed in one_of.items():
        if name in fields and fields[name] not in allowed:
            raise FigureError(f"`{name}` is {' or '.join(allowed)}", received=fields[name])
    lengths = [value.partition("@")[1:] for value in fields["value"].split(",")]
    if wrong := [length for mark, length in lengths if mark and not NUMBER.fullmatch(length)]:
        raise FigureError("A value is of a length, as in test.accuracy@128", received=wrong[0])
    try:
        f"{float(fields.get('times', '1')) * 0.5:{fields.get('format', FORMAT)}}"
    except ValueError as error:
        raise FigureError(
            f"`times` is a number, and `format` a format of Python: {error}", received=written
        ) from None
    return fields


def _select(
    fields: Mapping[str, str], written: str, frames: Mapping[str, pandas.DataFrame]
) -> pandas.DataFrame:
    frame = frames[fields.get("of", RECORDS)]
    values = [value.partition("@")[0] for value in fields["value"].split(",")]
    names = [*values, *filter(None, map(fields.get, ("rows", "columns")))]
    try:
        selected = frame.query(fields["where"]) if "where" in fields else frame
    except Exception as error:  # pandas raises errors of many kinds for a text that is no query
        raise FigureError(f"`where` must select rows: {error}", received=written) from None
    if missing := [name for name in names if name not in selected]:
        raise FigureError("A mark names columns of the rows", received=", ".join(missing))
    wanted = {*names, *CONDITIONS, *CELL, "low", "high"}
    shown = [name for name in selected.columns if name in wanted]
    selected = selected[shown]  # a copy of all columns for each figure would take seconds
    selected = selected.dropna(subset=values, how="all")
    if selected.empty:
        raise FigureError("A mark must select at least one figure", received=written)
    if any(map(_is_cost, values)):
        _check_costs(selected, written)
    return selected


def _check_costs(selected: pandas.DataFrame, written: str) -> None:
    """Check that costs can be compared: one machine and session, one version of an entry's code."""
    for column, what in (("machine", "of one machine"), ("invocation", "of one session")):
        found = sorted(selected[column].unique())
        if len(found) > 1:
            raise FigureError(
                f"The costs of a mark are {what}, not of {' and '.join(found)}",
                received=written,
                remedy=f"Choose one in `where`, as in: {column} == '{found[-1]}'",
            )
    versions = selected.groupby("entry")["cost_digest"].nunique(dropna=False)
    if mixed := sorted(versions[versions > 1].index):
        raise FigureError(
            f"The costs of an entry are of one version of its code: {', '.join(mixed)} has several",
            received=written,
            remedy="Choose one in `where`, as in: cost_digest == '…'",
        )


def _check_cell(group: pandas.DataFrame, name: str) -> None:
    """Check that the records of one figure are repeats of one cell."""
    for column in group.columns.intersection(list(CELL)):
        found = group[column].drop_duplicates()
        if len(found) > 1:
            raise FigureError(
                f"The records of a figure are equal but for seed, round and machine; {name} has "
                f"several in {column}",
                received=", ".join(sorted(map(str, found))),
                remedy=f"Choose one in `where`, as in: {column} == {found.iloc[0]!r}",
            )


def _value(selected: pandas.DataFrame, fields: Mapping[str, str]) -> str:
    return _figure(*_at_length(selected, fields["value"]), fields)


def _figure(group: pandas.DataFrame, name: str, fields: Mapping[str, str]) -> str:
    form = fields.get("format", FORMAT)
    known = group[name].dropna()
    if known.empty:
        return NO_FIGURE
    _check_cell(group.loc[known.index], name)
    times = float(fields.get("times", "1"))
    mean = statistics.geometric_mean(known) if _is_cost(name) else known.mean()
    figure = f"{times * mean:{form}}"
    if fields.get("of") != ROWS or len(known) > 1:
        return figure
    row = group.loc[known.index[0]]
    if row[["low", "high"]].isna().any():
        return figure
    return f"{figure} [{times * row['low']:{form}}, {times * row['high']:{form}}]"


def _table(selected: pandas.DataFrame, fields: Mapping[str, str]) -> str:
    rows, columns, names = fields["rows"], fields.get("columns"), fields["value"].split(",")
    if columns is None:
        titles = fields["titles"].split(",") if "titles" in fields else names
        if len(titles) != len(names) or len(set(titles)) != len(titles):
            stated = fields.get("titles", fields["value"])
            raise FigureError(
                "`titles` has one title for each value, all different", received=stated
            )
        parts = [_at_length(selected, name) for name in names]
        groups = dict(zip(titles, parts, strict=True))
        sorted_by, name = parts[0]
    else:
        sorted_by, name = _at_length(selected, names[0])
        groups = {str(key): (part, name) for key, part in sorted_by.groupby(columns)}
    means = sorted_by.groupby(rows)[name].mean().reindex(sorted(selected[rows].unique()))
    order = {"high": False, "low": True}.get(fields.get("sort", ""))
    labels = means.index if order is None else means.sort_values(ascending=order).index
    lines = [[rows.replace("_", " "), *groups], ["---", *["---:"] * len(groups)]]
    lines += [
        [
            _label(label),
            *(_figure(part[part[rows] == label], name, fields) for part, name in groups.values()),
        ]
        for label in labels
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _at_length(frame: pandas.DataFrame, value: str) -> tuple[pandas.DataFrame, str]:
    """Return the rows of a value, and its name without the length behind "@"."""
    name, _, length = value.partition("@")
    return (frame[frame[LENGTH] == int(length)] if length else frame), name


def _label(label: object) -> str:
    return f"`{label}`" if isinstance(label, str) else str(label)
