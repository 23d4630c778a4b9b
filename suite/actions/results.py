"""The results of the Python API: frozen collections, each with a DataFrame."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from suite.analysis.boards import Row
from suite.analysis.frame import measured_values, run_columns
from suite.analysis.tables import REPEATED, Table
from suite.api import Cell
from suite.execution.preparation import Prepared
from suite.matrix.durations import Durations, ExpectedTime
from suite.matrix.plan import CHANGED
from suite.matrix.planned_cells import PlannedCell
from suite.records.command_line import printable
from suite.records.naming import cell_label
from suite.records.schema import RecordSummary
from suite.search.frontier import LengthLimit
from suite.search.trials import TunedRate
from suite.search.tuning import tuning_cells

if TYPE_CHECKING:
    import pandas

Item = TypeVar("Item")


@dataclass(frozen=True, repr=False)
class Results(Generic[Item]):
    """Items in order, which a notebook or `print` shows one per line."""

    items: Sequence[Item]
    noun = "items"

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self.items[index]

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with a row for each item."""
        import pandas

        return pandas.DataFrame([row for item in self.items for row in self._rows(item)])

    def _rows(self, item: Item) -> list[dict[str, Any]]:
        raise NotImplementedError

    def _line(self, item: Item) -> str:
        return str(item)

    def _summary(self) -> str:
        return f"{len(self.items)} {self.noun}"

    def __repr__(self) -> str:
        return printable("\n".join([*map(self._line, self.items), self._summary()]))


@dataclass(frozen=True, repr=False)
class MatrixPlan(Results[PlannedCell]):
    """The cells of a matrix, compared with the records of a home; from `suite.plan`.

    `durations` are the times of cells on this machine; `parallel` cells run at a time.
    """

    prepared: Prepared
    durations: Durations | None = None
    parallel: int = 1

    @property
    def to_run(self) -> Sequence[PlannedCell]:
        """The cells that a run would start now: neither tuning nor data is missing."""
        return [
            planned
            for planned in self.prepared.plan.to_run
            if planned.cell.id not in self._waiting_ids and not self._lacks_data(planned)
        ]

    def _lacks_data(self, planned: PlannedCell) -> bool:
        return planned.cell.task in self.prepared.missing_data

    def state(self, planned: PlannedCell) -> str:
        """Return the state of a cell, such as "to run" or "done", with its status or a reason."""
        if planned.unsupported:
            return f"unsupported: {planned.unsupported}"
        if planned.cell.id in self.prepared.plan.changed:
            return CHANGED
        if record := self.prepared.plan.done.get(planned.cell.id):
            return f"done: {record.status}"
        if self._lacks_data(planned):
            return "data missing"
        return "to tune" if planned.cell.id in self._waiting_ids else "to run"

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the cells as `bench plan --json` prints them."""
        return [self._to_dict(planned) for planned in self.items]

    def _to_dict(self, planned: PlannedCell) -> dict[str, Any]:
        state, durations = self.state(planned), self.durations or Durations()
        record = self.prepared.plan.done.get(planned.cell.id)
        return {
            "id": planned.cell.id,
            "cell": planned.cell.to_dict(),
            "status": str(record.status) if record else None,
            "unsupported": planned.unsupported,
            "to_run": state == "to run",
            "to_tune": state == "to tune",
            "changed": state == CHANGED,
            "expected_seconds": durations.expected_seconds(planned.cell),
        }

    def _rows(self, item: PlannedCell) -> list[dict[str, Any]]:
        return [{"id": item.cell.id, **item.cell.to_dict(), "state": self.state(item)}]

    def _line(self, item: PlannedCell) -> str:
        return f"{item.cell.id}  {cell_label(item.cell, item.ranking):48}  {self.state(item)}"

    def _summary(self) -> str:
        prepared = self.prepared
        notes = [self.summary, self.time_note, self.tuning_note, self.sealed_note]
        notes += [prepared.left_out_note, prepared.changed_note, *prepared.data_notes]
        return "\n".join(filter(None, notes))

    @cached_property
    def _waiting_ids(self) -> frozenset[str]:
        return frozenset(planned.cell.id for planned in self.prepared.waiting)

    @property
    def time_note(self) -> str | None:
        """The expected time of the cells that a run would start now; None if there are none."""
        if self.durations is None or not self.to_run:
            return None
        cells = [planned.cell for planned in self.to_run]
        at_once = "one cell" if self.parallel == 1 else f"{self.parallel} cells"
        return f"To run now: {self._time(cells)}, {at_once} at a time"

    @property
    def tuning_note(self) -> str | None:
        """The command that tunes the learning rates that cells lack, and its expected time.

        Final runs wait for the tuning. The cells of a draft can run before, as trials. None if no
        cell lacks a rate.
        """
        prepared = self.prepared
        cells = [planned.cell for planned in prepared.untuned]
        if not cells:
            return None
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        if prepared.waiting:
            verb = "needs a tuned learning rate" if len(cells) == 1 else "need tuned learning rates"
            note = f"{count} {verb} first: {prepared.tune_command}"
        else:
            lacks = "has" if len(cells) == 1 else "have"
            note = f"{count} {lacks} no tuned learning rate: {prepared.tune_command}"
        if self.durations is None:
            return note
        trials = tuning_cells(prepared.untuned, prepared.benchmark, prepared.tasks)
        last = f"; then the cells {self._time(cells)}" if prepared.waiting else ""
        return f"{note}\nTo tune: {len(trials):,} trials, {self._time(trials)}{last}"

    def _time(self, cells: Sequence[Cell]) -> ExpectedTime:
        assert self.durations is not None
        return self.durations.expected(cells, self.parallel)

    @property
    def sealed_note(self) -> str | None:
        """Why trainings score only validation; None if all of them score the test split.

        A cell that another one needs scores no test split and needs no reason.
        """
        needed = {parent for item in self.items for parent in item.parents.values()}
        scored = (item.cell for item in self.items if item.cell.id not in needed)
        if all(cell.scores_test or cell.task is None for cell in scored):
            return None
        return (
            "These settings are not those of a frozen benchmark: training runs score validation "
            "alone (--test scores the test split)"
        )

    @property
    def summary(self) -> str:
        """The numbers of cells in one line."""
        states = Counter(self.state(planned).partition(":")[0] for planned in self.items)
        named = {"data missing": "without data"}
        others = ("to tune", "data missing", "changed", "done", "unsupported")
        parts = [f"{len(self)} cell{'' if len(self) == 1 else 's'}", f"{states['to run']} to run"]
        parts += [f"{states[name]} {named.get(name, name)}" for name in others if states[name]]
        return ", ".join(parts)


@dataclass(frozen=True, repr=False)
class Records(Results[RecordSummary]):
    """Records; from `suite.run` and `suite.read_records`."""

    noun = "records"

    def _rows(self, item: RecordSummary) -> list[dict[str, Any]]:
        return [{**run_columns(item), **dict(measured_values(item))}]

    def _line(self, item: RecordSummary) -> str:
        reason = f": {item.reason}" if item.reason else ""
        metric = item.ranking.metric
        split = "test" if item.cell.scores_test else "validation"
        score = item.metric(metric, split) if metric else None
        shown = "" if score is None else f"  {metric} {score:.3f}"
        return f"{cell_label(item.cell, item.ranking):48}  {item.status}{reason}{shown}"


@dataclass(frozen=True, repr=False)
class Tables(Results[Table]):
    """Tables of comparisons; from `suite.compare`."""

    noun = "tables"

    def _rows(self, item: Table) -> list[dict[str, Any]]:
        return [_table_row(item, row) for row in item.rows]

    def _line(self, item: Table) -> str:
        rows = [
            f"  {row.cell.sequence_length:>7,} {row.entry:32} {_figures(row)}" for row in item.rows
        ]
        return "\n".join([item.title, *rows])


@dataclass(frozen=True, repr=False)
class LengthLimits(Results[LengthLimit]):
    """The length limits of entries; from `suite.frontier`."""

    noun = "entries"

    def _rows(self, item: LengthLimit) -> list[dict[str, Any]]:
        return [asdict(item)]

    def _line(self, item: LengthLimit) -> str:
        return f"{item.entry:16} {item}"


@dataclass(frozen=True, repr=False)
class TunedRates(Results[TunedRate]):
    """Tuned learning rates; from `suite.tune`."""

    noun = "learning rates"

    def _rows(self, item: TunedRate) -> list[dict[str, Any]]:
        return [
            {
                "task": item.task,
                "entry": item.entry,
                "architecture": item.architecture,
                "sequence_length": item.sequence_length,
                "model_size": item.model_size,
                "learning_rate": trial.learning_rate,
                "steps": trial.steps,
                "validation": trial.validation,
                "chosen": trial.learning_rate == item.learning_rate,
            }
            for trial in item.trials
        ]


def _table_row(table: Table, row: Row) -> dict[str, Any]:
    """Return a row; a missing score at an evaluation length is NaN, with a column of its reason."""
    cell: Mapping[str, Any] = row.cell.to_dict()
    known = {name: figure for name, figure in row.figures.items() if figure}
    metric = f"{table.split}.{table.metric}"
    scores: dict[str, Any] = {}
    for length, score in row.by_evaluation_length.items():
        if isinstance(score, str):
            scores |= {f"{metric}_at_{length}": math.nan, f"{metric}_at_{length}_reason": score}
        else:
            scores[f"{metric}_at_{length}"] = score.value
    ends: dict[str, Any] = {}
    if primary := known.get(metric):
        ends = {"n": primary.n, "low": primary.low, "high": primary.high, "rank": row.rank}
        ends["detectable_difference"] = row.detectable_difference
    return {
        "table": table.title,
        "entry": row.entry,
        **{name: value for name, value in cell.items() if name not in REPEATED},
        **{name: figure and figure.value for name, figure in row.figures.items()},
        "disturbed": ", ".join(sorted(name for name in known if known[name].is_disturbed)),
        **scores,
        **ends,
        "statuses": dict(row.statuses),
    }


def _figures(row: Row) -> str:
    shown = [
        f"{name.removeprefix('test.')} {'~' if figure.is_disturbed else ''}{figure.value:,.4g}"
        for name, figure in row.figures.items()
        if figure
    ]
    return ", ".join(shown) or ", ".join(row.statuses)
