"""The results of the Python API: frozen collections, each with a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from suite.analysis.frontier import LengthLimit
from suite.analysis.tables import REPEATED, Table, TableRow
from suite.analysis.trials import TunedRate
from suite.execution.preparation import Prepared, tune_command
from suite.matrix.expansion import PlannedCell
from suite.records.schema import RecordSummary

if TYPE_CHECKING:
    import pandas

Item = TypeVar("Item")


@dataclass(frozen=True, repr=False)
class Collection(Generic[Item]):
    """Items in order, which a notebook or `print` shows one per line."""

    items: Sequence[Item]

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        return self.items[at]

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with a row for each item."""
        import pandas

        return pandas.DataFrame([row for item in self.items for row in self._rows(item)])

    def _rows(self, item: Item) -> list[dict[str, Any]]:
        raise NotImplementedError

    def _line(self, item: Item) -> str:
        return str(item)

    def _summary(self) -> str:
        return f"{len(self.items)} items"

    def __repr__(self) -> str:
        return "\n".join([*map(self._line, self.items), self._summary()])


@dataclass(frozen=True, repr=False)
class MatrixPlan(Collection[PlannedCell]):
    """The cells of a matrix, compared with the records of a home; from `suite.plan`."""

    prepared: Prepared

    @property
    def to_run(self) -> Sequence[PlannedCell]:
        """The cells that a run would start."""
        return self.prepared.plan.to_run

    def state(self, planned: PlannedCell) -> str:
        """Return "to run", "to tune", or "done" or "unsupported" with the status or the reason."""
        if planned.unsupported:
            return f"unsupported: {planned.unsupported}"
        record = self.prepared.plan.done.get(planned.cell.id)
        if record:
            return f"done: {record.status}"
        return "to tune" if planned.cell.id in self._untuned_ids else "to run"

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the cells as `bench plan --json` prints them."""
        return [self._to_dict(planned) for planned in self.items]

    def _to_dict(self, planned: PlannedCell) -> dict[str, Any]:
        record = self.prepared.plan.done.get(planned.cell.id)
        to_tune = planned.cell.id in self._untuned_ids
        return {
            "id": planned.cell.id,
            "cell": asdict(planned.cell),
            "status": str(record.status) if record else None,
            "unsupported": planned.unsupported,
            "to_run": planned.unsupported is None and record is None and not to_tune,
            "to_tune": to_tune,
        }

    def _rows(self, item: PlannedCell) -> list[dict[str, Any]]:
        return [{"id": item.cell.id, **asdict(item.cell), "state": self.state(item)}]

    def _line(self, item: PlannedCell) -> str:
        return f"{item.cell.id}  {item.cell.label:48}  {self.state(item)}"

    def _summary(self) -> str:
        notes = [self.summary, self.tuning_note, self.sealed_note, *self.missing_data]
        return "\n".join(filter(None, notes))

    @cached_property
    def _untuned_ids(self) -> frozenset[str]:
        return frozenset(planned.cell.id for planned in self.prepared.untuned)

    @property
    def tuning_note(self) -> str:
        """The command that tunes the learning rates that final runs lack; empty if none lacks one.

        A run starts none of the cells before.
        """
        untuned = self.prepared.untuned
        if not untuned:
            return ""
        cells = (
            "1 cell needs a tuned learning rate"
            if len(untuned) == 1
            else (f"{len(untuned)} cells need tuned learning rates")
        )
        return f"{cells} first: {tune_command(untuned)}"

    @property
    def missing_data(self) -> tuple[str, ...]:
        """One line for each data set that a run needs and that is not prepared here."""
        return self.prepared.missing_data

    @property
    def sealed_note(self) -> str:
        """Why trainings score validation alone; empty if all of them score the test split."""
        if all(item.cell.scores_test or item.cell.task is None for item in self.items):
            return ""
        return (
            "These settings are not those of a frozen benchmark: trainings score validation alone "
            "(--test scores the test split)"
        )

    @property
    def summary(self) -> str:
        """The numbers of cells in one line."""
        unsupported = sum(planned.unsupported is not None for planned in self.items)
        count = len(self.items)
        untuned = len(self._untuned_ids)
        parts = [f"{count} cell{'' if count == 1 else 's'}", f"{len(self.to_run) - untuned} to run"]
        parts += [f"{untuned} to tune"] if untuned else []
        done = len(self.items) - len(self.to_run) - unsupported
        parts += [f"{done} done"] if done else []
        parts += [f"{unsupported} unsupported"] if unsupported else []
        return ", ".join(parts)


@dataclass(frozen=True, repr=False)
class Records(Collection[RecordSummary]):
    """Records; from `suite.run` and `suite.read_records`."""

    def _rows(self, item: RecordSummary) -> list[dict[str, Any]]:
        scores = {
            f"{split}.{name}": value
            for split in ("validation", "test")
            for name, value in item.metrics.get(split, {}).items()
        }
        costs = {
            f"{phase}.{name}": figure.value
            for phase, figures in item.measurements.items()
            for name, figure in figures.items()
        }
        return [
            {
                "entry": item.ranking.entry,
                **asdict(item.cell),
                "status": str(item.status),
                "reason": item.reason,
                "learning_rate": item.ranking.learning_rate,
                "parameter_count": item.parameter_count,
                **scores,
                **costs,
                "run_id": item.run_id,
            }
        ]

    def _line(self, item: RecordSummary) -> str:
        reason = f": {item.reason}" if item.reason else ""
        metric = item.ranking.metric
        split = "test" if item.cell.scores_test else "validation"
        score = item.metric(metric, split) if metric else None
        shown = "" if score is None else f"  {metric} {score:.3f}"
        return f"{item.cell.label:48}  {item.status}{reason}{shown}"

    def _summary(self) -> str:
        return f"{len(self.items)} records"


@dataclass(frozen=True, repr=False)
class Tables(Collection[Table]):
    """Tables of comparisons; from `suite.compare`."""

    def _rows(self, item: Table) -> list[dict[str, Any]]:
        return [_table_row(item, row) for row in item.rows]

    def _line(self, item: Table) -> str:
        rows = [
            f"  {row.cell.sequence_length:>7,} {row.line:32} {_figures(row)}" for row in item.rows
        ]
        return "\n".join([item.title, *rows])

    def _summary(self) -> str:
        return f"{len(self.items)} tables"


@dataclass(frozen=True, repr=False)
class LengthLimits(Collection[LengthLimit]):
    """The length limits of architectures; from `suite.frontier`."""

    def _rows(self, item: LengthLimit) -> list[dict[str, Any]]:
        return [asdict(item)]

    def _line(self, item: LengthLimit) -> str:
        return f"{item.architecture:16} {item}"

    def _summary(self) -> str:
        return f"{len(self.items)} architectures"


@dataclass(frozen=True, repr=False)
class TunedRates(Collection[TunedRate]):
    """Tuned learning rates; from `suite.tune`."""

    def _rows(self, item: TunedRate) -> list[dict[str, Any]]:
        return [
            {
                "task": item.task,
                "entry": item.entry,
                "architecture": item.architecture,
                "sequence_length": item.sequence_length,
                "learning_rate": trial.learning_rate,
                "steps": trial.steps,
                "validation": trial.validation,
                "chosen": trial.learning_rate == item.learning_rate,
            }
            for trial in item.trials
        ]

    def _summary(self) -> str:
        return f"{len(self.items)} learning rates"


def _table_row(table: Table, row: TableRow) -> dict[str, Any]:
    cell: Mapping[str, Any] = asdict(row.cell)
    figures = {name: figure.value if figure else None for name, figure in row.figures.items()}
    ends: dict[str, Any] = {}
    if score := row.figures.get(f"{table.split}.{table.metric}"):
        ends = {
            "n": score.n,
            "low": score.low,
            "high": score.high,
            "rank": row.rank,
            "detectable_difference": row.detectable_difference,
        }
    return {
        "table": table.title,
        "entry": row.line,
        **{name: value for name, value in cell.items() if name not in REPEATED},
        **figures,
        **ends,
        "statuses": dict(row.statuses),
    }


def _figures(row: TableRow) -> str:
    known = {name: figure for name, figure in row.figures.items() if figure}
    shown = [f"{name.removeprefix('test.')} {figure.value:,.4g}" for name, figure in known.items()]
    return ", ".join(shown) or ", ".join(row.statuses)
