"""Figures of records within a Markdown page: tables and single values between comments.

```
<!-- table where="task == 'ner'" rows="entry" columns="sequence_length" value="test.entity_f1" -->
…
<!-- end -->
The best entry scores <!-- value where="…" value="test.entity_f1" format=".3f" -->0.712<!-- end -->.
```

`where` selects valid runs of the published records by the columns of `suite.analysis.frame`, in the
syntax of `pandas.DataFrame.query`; `entry` leaves out the learning rate. A table has a row for each
value of the column `rows`, in the order of `sort`. With `columns`, it has a column for each of
their values and shows one `value`; otherwise it has a column for each `value`, headed by the
value's name or by one of `titles`. A value is a measure, as `test.accuracy`; `test.accuracy@128` is
that at length 128. It may also be a group of a report, as `test.f1_by_type.PERSON`. A figure is the
mean of repeats of one cell, multiplied by `times` and in a `format` of Python. Costs of noisy
phases are left out, and all costs of a mark are of one session: one `invocation` on one machine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from suite.analysis.comparisons import Comparison
from suite.analysis.frame import estimate_of, to_frame
from suite.analysis.reports import BY, figures_by_group
from suite.api.errors import RequestError
from suite.records.measures import is_cost
from suite.records.published import StoredRecord, read_detail

if TYPE_CHECKING:
    import pandas

START = re.compile(r"(?P<start><!-- (?P<kind>table|value)(?P<fields>\s.*?)-->)", re.DOTALL)
MARK = re.compile(START.pattern + ".*?<!-- end -->", re.DOTALL)
FIELDS = frozenset({"where", "rows", "columns", "value", "titles", "times", "format", "sort"})
FORMAT = ".3g"
REPORT = re.compile(rf"(?P<split>\w+)\.(?P<report>\w*{BY}\w+)\.(?P<group>[^@]+)")
"""A value that is a group of a report by group, whose complete records are read."""
NUMBER = re.compile("[0-9]{1,9}")
NO_FIGURE = "–"
CELL = (
    "mode", "task", "task_version", "source", "form", "options", "architecture_version",
    "sequence_length", "batch_size", "model_size", "steps", "precision", "backend", "benchmark",
    "scores_test", "learning_rate",
)  # fmt: skip
"""The columns in which all runs of one figure are equal."""


class FigureError(RequestError):
    """A mark of a page that names no figure."""


def has_figures(text: str) -> bool:
    """Return whether a Markdown page has a mark of a figure."""
    return START.search(text) is not None


def fill_page(text: str, frame: pandas.DataFrame) -> str:
    """Return a Markdown page with the figures of its marks, which select rows of a frame.

    Raises:
        FigureError: a mark is not closed, has an unknown field, or selects nothing.
    """
    if len(START.findall(text)) != len(MARK.findall(text)):
        raise FigureError("Each mark of a figure needs <!-- end -->", received="a mark without it")
    by_measure = {str(measure): rows for measure, rows in frame.groupby("measure")}
    return MARK.sub(lambda found: _filled(found, by_measure), text)


def selectable(comparisons: Iterable[Comparison]) -> pandas.DataFrame:
    """Return the rows that marks select from: valid runs, no noisy costs, no learning rates."""
    comparisons = list(comparisons)
    frame = to_frame(comparisons)
    if frame.empty:
        return frame
    runs = {run.record.run_id: run for each in comparisons for run in each.frame["stored"]}
    frame = frame.assign(stored=frame["run_id"].map(runs))
    # A run without methods is in the comparisons of both tracks.
    valid = frame[(frame["superseded_by"] == "") & ~frame["noisy"]]
    valid = valid.drop_duplicates(["run_id", "measure"])
    # A method has a learning rate too, behind a colon or a comma.
    entries = valid["entry"].str.removesuffix(" (untuned)")
    entries = entries.str.replace(r"(?<=[( ])learning_rate=[^ )]+ ?", "", regex=True)
    entries = entries.str.replace(" ()", "").str.replace(" )", ")")
    valid = valid.assign(entry=entries, options=valid["options"].map(str))
    return valid.assign(cell=valid.groupby(list(CELL), dropna=False).ngroup())


def _filled(found: re.Match[str], by_measure: Mapping[str, pandas.DataFrame]) -> str:
    kind, written = found["kind"], found["fields"].strip()
    fields = _fields(kind, written)
    selected = _select(fields, written, by_measure)
    if kind == "table":
        body = _table(selected, fields)
    else:
        body = _figure(_of_value(selected, fields["value"]), fields)
    around = "\n" if kind == "table" else ""
    return f"{found['start']}{around}{body}{around}<!-- end -->"


def _fields(kind: str, written: str) -> dict[str, str]:
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
    if fields.get("sort", "high") not in ("high", "low"):
        raise FigureError("`sort` is high or low", received=fields["sort"])
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
    fields: Mapping[str, str], written: str, by_measure: Mapping[str, pandas.DataFrame]
) -> pandas.DataFrame:
    import pandas

    values = [value.partition("@")[0] for value in fields["value"].split(",")]
    measured = {value: _rows_of(value, by_measure) for value in values}
    if missing := [value for value, rows in measured.items() if rows is None]:
        raise FigureError("A mark names measures", received=", ".join(missing))
    selected = pandas.concat(measured.values())
    columns = filter(None, map(fields.get, ("rows", "columns")))
    if missing := [name for name in columns if name not in selected]:
        raise FigureError("A mark names columns", received=", ".join(missing))
    try:
        selected = selected.query(fields["where"]) if "where" in fields else selected
    except Exception as error:  # pandas raises errors of many kinds for a text that is no query
        raise FigureError(f"`where` must select rows: {error}", received=written) from None
    selected = _with_reports(selected)
    if selected.empty:
        raise FigureError("A mark must select at least one figure", received=written)
    if any(map(is_cost, values)):
        _check_costs(selected, written)
    return selected


def _rows_of(value: str, by_measure: Mapping[str, pandas.DataFrame]) -> pandas.DataFrame | None:
    """Return the rows of a measure; None if there is no such measure.

    A group of a report has a row for each run with scores of the split: `_with_reports` fills it.
    """
    import pandas

    found = REPORT.fullmatch(value)
    if value in by_measure or not found:
        return by_measure.get(value)
    split = f"{found['split']}."
    scores = [rows for measure, rows in by_measure.items() if measure.startswith(split)]
    runs = pandas.concat(scores).drop_duplicates("run_id") if scores else None
    return None if runs is None else runs.assign(measure=value)


def _with_reports(selected: pandas.DataFrame) -> pandas.DataFrame:
    """Return selected rows with the values of groups of reports; without the runs that lack them.

    Raises:
        FigureError: no selected run has the group of the report.
    """
    import pandas

    parts = []
    for measure, rows in selected.groupby("measure", sort=False):
        if found := REPORT.fullmatch(str(measure)):
            values = [_in_report(run, **found.groupdict()) for run in rows["stored"]]
            figures = pandas.Series(values, index=rows.index, dtype="float64")
            rows = rows.assign(value=figures).dropna(subset="value")
            if rows.empty:
                raise FigureError("A mark names reports that runs have", received=str(measure))
        parts.append(rows)
    return pandas.concat(parts) if parts else selected


def _in_report(run: StoredRecord, split: str, report: str, group: str) -> float | None:
    """Return the figure of a group in a report of a run; None where it has none."""
    groups = figures_by_group(read_detail(run).reports.get(split, {}).get(report))
    return groups.get(group, {}).get("")


def _check_costs(selected: pandas.DataFrame, written: str) -> None:
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


def _check_cell(group: pandas.DataFrame) -> None:
    if group["cell"].nunique() > 1:
        column = next(name for name in CELL if group[name].nunique(dropna=False) > 1)
        found = group[column].drop_duplicates()
        raise FigureError(
            "The runs of a figure are equal but for seed, round and machine; "
            f"{group['measure'].iloc[0]} has several in {column}",
            received=", ".join(sorted(map(str, found))),
            remedy=f"Choose one in `where`, as in: {column} == {found.iloc[0]!r}",
        )


def _mean(group: pandas.DataFrame) -> float:
    return estimate_of(group["measure"].iloc[0], list(group["value"])).value


def _figure(group: pandas.DataFrame | None, fields: Mapping[str, str]) -> str:
    if group is None or group.empty:
        return NO_FIGURE
    _check_cell(group)
    return f"{float(fields.get('times', '1')) * _mean(group):{fields.get('format', FORMAT)}}"


def _table(selected: pandas.DataFrame, fields: Mapping[str, str]) -> str:
    rows, columns, values = fields["rows"], fields.get("columns"), fields["value"].split(",")
    first = _of_value(selected, values[0])
    if columns is None:
        stated = fields.get("titles", fields["value"])
        titles = stated.split(",")
        if len(titles) != len(values) or len(set(titles)) != len(titles):
            raise FigureError(
                "`titles` has one title for each value, all different", received=stated
            )
        parts = {
            title: _of_value(selected, value) for title, value in zip(titles, values, strict=True)
        }
    else:
        parts = {str(key): part for key, part in first.groupby(columns)}
    by_label = [dict(iter(part.groupby(rows))) for part in parts.values()]
    labels = sorted(selected[rows].unique())
    if "sort" in fields:
        means = {label: _mean(group) for label, group in first.groupby(rows)}
        sign = -1 if fields["sort"] == "high" else 1
        labels.sort(key=lambda label: (label not in means, sign * means.get(label, 0.0)))
    lines = [[rows.replace("_", " "), *parts], ["---", *["---:"] * len(parts)]]
    for label in labels:
        name = f"`{label}`" if isinstance(label, str) else str(label)
        figures = (_figure(groups.get(label), fields) for groups in by_label)
        lines.append([name, *figures])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _of_value(frame: pandas.DataFrame, value: str) -> pandas.DataFrame:
    """Return the rows of a value: those of its measure, at the length behind "@" if it has one."""
    measure, _, length = value.partition("@")
    rows = frame[frame["measure"] == measure]
    return rows[rows["sequence_length"] == int(length)] if length else rows
