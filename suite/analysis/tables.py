"""Comparisons → tables: what `bench report` prints and `suite.compare` returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from suite.analysis.boards import Row, rank_comparisons
from suite.analysis.comparison_key import ComparisonKey, baseline_keys, titles
from suite.analysis.comparisons import Comparison, compare, in_precedence
from suite.analysis.cost_ratios import Ratio, backend_ratios
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Figure
from suite.analysis.growth import Growth, growths
from suite.analysis.reports import samples_of
from suite.api import Architecture, Cell, Mode
from suite.api.errors import unknown_name
from suite.records.measures import tabled_costs
from suite.records.published import StoredRecord
from suite.records.schema import RecordSummary


def record_filter(
    tasks: Collection[str] | None,
    mode: str | None,
    known_tasks: Collection[str],
) -> Callable[[RecordSummary], bool]:
    """Return a function that says whether a record is of some tasks and of a mode; None means all.

    Raises:
        RequestError: there is no task or mode of that name.
    """
    for name in tasks or ():
        if name not in known_tasks:
            raise unknown_name("task", name, known_tasks)
    if mode is not None and mode not in list(Mode):
        raise unknown_name("mode", mode, list(Mode))
    return lambda record: (
        (tasks is None or record.cell.task in tasks) and mode in (None, record.cell.mode)
    )


REPEATED = ("seed", "round")
"""The fields in which the cells of one row differ."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One entry at one length and batch size.

    `figures` holds the score and the costs of the good records, `statuses` counts all records,
    `reasons` says once each why the others are not good. `noisy` counts the good records with a
    noisy phase: no cost is read from such a phase. `missing` says by cost why it has no figure.

    `rank` is the rank by score on the board; None without one, and for probes. An entry that shares
    a rank with a better one has a `detectable_difference`: the smallest difference to the leader of
    the rank that would have been separated. `by_evaluation_length` has the score at each evaluation
    length, or the reason why there is none. `samples` are those of the first seed of a language
    model, if they were asked for.
    """

    entry: str
    cell: Cell
    figures: Mapping[str, Figure | None]
    statuses: Mapping[str, int]
    reasons: Sequence[str]
    noisy: int = 0
    missing: Mapping[str, str] = field(default_factory=dict)
    rank: int | None = None
    detectable_difference: float | None = None
    by_evaluation_length: Mapping[int, Figure | str] = field(default_factory=dict)
    samples: Sequence[Mapping[str, str]] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON shows it."""
        cell = self.cell.to_dict()
        figures = {name: value and asdict(value) for name, value in self.figures.items()}
        return {
            "entry": self.entry,
            "cell": {name: value for name, value in cell.items() if name not in REPEATED},
            "figures": figures,
            "statuses": dict(self.statuses),
            "reasons": list(self.reasons),
            "noisy": self.noisy,
            "missing": dict(self.missing),
            "rank": self.rank,
            "detectable_difference": self.detectable_difference,
            "by_evaluation_length": {
                str(length): score if isinstance(score, str) else asdict(score)
                for length, score in self.by_evaluation_length.items()
            },
            "samples": list(self.samples),
        }


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one comparison. `metric` is the name of the score; None for probes.

    `split` is the split that was scored, "test" or "validation".

    `ratios` compare with the same cells on the backend and in the precision that `baseline` names.
    """

    title: str
    metric: str | None
    rows: Sequence[TableRow]
    split: str = "test"
    exponents: Sequence[Growth] = ()
    baseline: str = ""
    ratios: Sequence[Ratio] = ()

    @property
    def evaluation_lengths(self) -> list[int]:
        """The evaluation lengths of all rows."""
        return sorted({length for row in self.rows for length in row.by_evaluation_length})

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON shows it."""
        return {
            "title": self.title,
            "metric": self.metric,
            "split": self.split,
            "rows": [row.to_dict() for row in self.rows],
            "exponents": [item.to_dict() for item in self.exponents],
            "baseline": self.baseline,
            "ratios": [item.to_dict() for item in self.ratios],
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

    `architectures` hold the claimed costs that exponents are judged by. Superseded records are left
    out. Final runs come first, trials last. A title names the machine of probes only where several
    machines were probed. With `samples`, the rows of language models have their samples.
    """
    ranked = _board_rows(comparisons)
    by_key = {comparison.key: comparison for comparison in comparisons}
    baselines = baseline_keys(by_key)
    machines = {comparison.measured_on[0] for comparison in comparisons}
    named_by = {
        comparison.key: _named_by(comparison, len(machines) > 1)
        for comparison in comparisons
        if comparison.records
    }
    title_of, tables = titles(named_by.values()), []
    for comparison in comparisons:
        rows = [
            _row(entry, ranked.get((comparison.key, *entry.place, entry.name)), samples)
            for entry in comparison.entries
            if entry.runs
        ]
        if not rows:
            continue
        baseline = by_key[baselines[comparison.key]]
        probe = comparison.key.mode is not Mode.TRAIN
        has_baseline = probe and baseline is not comparison
        tables.append(
            Table(
                title=title_of[named_by[comparison.key]],
                metric=comparison.metric.name if comparison.metric else None,
                rows=rows,
                split=comparison.key.split,
                exponents=growths(comparison, architectures) if probe else (),
                baseline=baseline.key.engine,
                ratios=backend_ratios(comparison, baseline) if has_baseline else (),
            )
        )
    return tables


def _named_by(comparison: Comparison, has_several_machines: bool) -> ComparisonKey:
    """Return the key whose title a table has."""
    key = comparison.key
    if key.mode is Mode.TRAIN:
        return replace(key, threads=comparison.measured_on[1])
    return key if has_several_machines else replace(key, machine="")


def _board_rows(
    comparisons: Iterable[Comparison],
) -> dict[tuple[ComparisonKey, int, int, str], Row]:
    """Return the valid rows of boards with ranks, by comparison, length, batch and entry."""
    ranked = [
        found
        for found in comparisons
        if found.key.mode is Mode.TRAIN and not found.key.unranked_reason
    ]
    return {
        (board.key, board.sequence_length, board.batch_size, row.entry): row
        for board in rank_comparisons(ranked)
        for row in board.valid
    }


def _row(entry: EntryAtLength, ranked: Row | None, samples: bool) -> TableRow:
    figures: dict[str, Figure | None] = {}
    if entry.metric:
        figures[f"{entry.split}.{entry.metric.name}"] = entry.score()
    shown = tabled_costs(entry.records[0].cell.mode)
    figures |= {measure: entry.cost(measure) for measure in shown}
    reasons = sorted({record.reason for record in entry.records if record.reason})
    cell = entry.records[0].cell
    missing = {measure: why for measure in shown if (why := entry.missing_cost_reason(measure))}
    return TableRow(
        entry.name,
        cell,
        figures,
        entry.statuses,
        reasons,
        entry.num_noisy,
        missing,
        ranked.rank if ranked else None,
        ranked.detectable_difference if ranked else None,
        entry.scores_by_evaluation_length(),
        samples_of(entry) if samples else (),
    )
