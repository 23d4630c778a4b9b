"""Comparisons → tables: what `bench report` prints and `suite.compare` returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from suite.analysis.boards import Row, rank_comparisons
from suite.analysis.comparison_key import ComparisonKey, baseline_keys, titles
from suite.analysis.comparisons import Comparison, compare, in_precedence
from suite.analysis.cost_ratios import Ratio, backend_ratios
from suite.analysis.growth import Growth, growths
from suite.analysis.reports import samples_of
from suite.api import Architecture, Mode
from suite.api.errors import check_name
from suite.records.naming import split_label
from suite.records.published import StoredRecord
from suite.records.schema import RecordSummary


def record_filter(
    tasks: Collection[str] | None,
    mode: str | None,
    known_tasks: Collection[str],
    benchmark: str | None = None,
) -> Callable[[RecordSummary], bool]:
    """Return a filter of records: by tasks, a mode, and a benchmark as "core" or "core-2".

    Raises:
        RequestError: there is no task or mode of that name.
    """
    for name in tasks or ():
        check_name("task", name, known_tasks)
    if mode is not None:
        check_name("mode", mode, list(Mode))
    return lambda record: (
        (tasks is None or record.cell.task in tasks)
        and mode in (None, record.cell.mode)
        and benchmark in (None, record.cell.benchmark, split_label(record.cell.benchmark or "")[0])
    )


REPEATED = ("seed", "round")
"""The fields in which the cells of one row differ."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one comparison. `metric` is the name of the score; None for probes.

    `split` is the split that was scored, "test" or "validation". `ratios` compare with the same
    cells on the backend and in the precision that `baseline` names.
    """

    title: str
    metric: str | None
    rows: Sequence[Row]
    split: str = "test"
    exponents: Sequence[Growth] = ()
    baseline: str = ""
    ratios: Sequence[Ratio] = ()

    @property
    def evaluation_lengths(self) -> list[int]:
        """The evaluation lengths of all rows."""
        return sorted({length for row in self.rows for length in row.by_evaluation_length})

    def narrowed(self, architectures: Collection[str], lengths: Collection[int]) -> Table:
        """Return the table with some rows alone, all if none are named; ranks stay the same."""
        rows = [
            row
            for row in self.rows
            if (not architectures or row.architecture in architectures)
            and (not lengths or row.sequence_length in lengths)
        ]
        names = {row.entry for row in rows}
        exponents = [item for item in self.exponents if item.entry in names]
        places = {(row.entry, row.sequence_length) for row in rows}
        ratios = [item for item in self.ratios if (item.entry, item.sequence_length) in places]
        return replace(self, rows=rows, exponents=exponents, ratios=ratios)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON shows it."""
        return {
            "title": self.title,
            "metric": self.metric,
            "split": self.split,
            "rows": [_row_to_dict(row) for row in self.rows],
            "exponents": [item.to_dict() for item in self.exponents],
            "baseline": self.baseline,
            "ratios": [item.to_dict() for item in self.ratios],
        }


def _row_to_dict(row: Row) -> dict[str, Any]:
    cell = row.cell.to_dict()
    return {
        "entry": row.entry,
        "cell": {name: value for name, value in cell.items() if name not in REPEATED},
        "figures": {name: figure and asdict(figure) for name, figure in row.figures.items()},
        "statuses": dict(row.statuses),
        "reasons": row.reasons,
        "missing": row.missing,
        "rank": row.rank,
        "detectable_difference": row.detectable_difference,
        "by_evaluation_length": {
            str(length): score if isinstance(score, str) else asdict(score)
            for length, score in row.by_evaluation_length.items()
        },
        "samples": list(row.samples),
    }


def make_tables(
    records: Iterable[StoredRecord],
    task_versions: Mapping[str, int] | None = None,
    architectures: Mapping[str, Architecture] | None = None,
) -> list[Table]:
    """Return the tables of the comparisons of records, as `tables_of` does."""
    return tables_of(in_precedence(compare(records, task_versions)), architectures)


def tables_of(
    comparisons: Sequence[Comparison],
    architectures: Mapping[str, Architecture] | None = None,
    *,
    samples: bool = False,
) -> list[Table]:
    """Return a table for each comparison, with a row for each entry, length and batch size.

    `architectures` hold the claimed costs that exponents are judged by. A title names the machine
    only where several machines were measured. With `samples`, the rows of language models have
    their samples.
    """
    boards = rank_comparisons(
        comparison
        for comparison in comparisons
        if comparison.key.mode is Mode.TRAIN and not comparison.key.unranked_reason
    )
    ranked = {(board.key, *row.place, row.name): row for board in boards for row in board.valid}
    by_key = {comparison.key: comparison for comparison in comparisons if comparison.entries}
    baselines = baseline_keys(by_key)
    has_several_machines = len({comparison.measured_on[0] for comparison in comparisons}) > 1
    named_by = {
        key: _named_by(comparison, has_several_machines) for key, comparison in by_key.items()
    }
    title_of, tables = titles(named_by.values()), []
    for key, comparison in by_key.items():
        rows = [
            ranked.get((key, *entry.place, entry.name)) or Row.of(entry)
            for entry in comparison.entries
        ]
        baseline = by_key[baselines[key]]
        is_probe = key.mode is not Mode.TRAIN
        has_baseline = is_probe and baseline is not comparison
        tables.append(
            Table(
                title=title_of[named_by[key]],
                metric=comparison.metric.name if comparison.metric else None,
                rows=[replace(row, samples=samples_of(row)) for row in rows] if samples else rows,
                split=key.split,
                exponents=growths(comparison, architectures) if is_probe else (),
                baseline=baseline.key.engine,
                ratios=backend_ratios(comparison, baseline) if has_baseline else (),
            )
        )
    return tables


def _named_by(comparison: Comparison, has_several_machines: bool) -> ComparisonKey:
    """Return the key whose title a table has: its model size says what it means."""
    key = replace(comparison.key, model_size=comparison.model_text)
    if key.mode is Mode.TRAIN:
        return replace(key, threads=comparison.measured_on[1])
    return key if has_several_machines else replace(key, machine="")
