"""Verification: run the cell of a record again and compare both runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from suite.api import PROTOCOL, Cell, Metric, Mode, Status
from suite.api.errors import RequestError
from suite.api.files import RESULTS
from suite.execution.preparation import Prepared, make_limits, prepare
from suite.matrix.plan import has_parents_of
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import Registry
from suite.matrix.request import Request
from suite.publish.frozen import benchmark_contradiction
from suite.records.environment import commit_of
from suite.records.measures import COSTS, metric_of
from suite.records.naming import cell_label
from suite.records.options import as_text
from suite.records.published import read_published, read_record
from suite.records.schema import Record, RecordError
from suite.records.store import Store
from suite.search.probing import RunPlan

TIME_LIMIT_SECONDS = 14_400
TOLERANCE = 0.02
"""A score is reproduced if the new score comes within this share of it."""
RUN_ID = re.compile(r"\d{8}T\d{6,}Z-[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class MeasurePair:
    """A measure in both runs of a cell."""

    measure: str
    original: float
    again: float

    @property
    def change(self) -> float | None:
        """The relative change from the original to the new run; None if the original is 0."""
        return self.again / self.original - 1 if self.original else None


@dataclass(frozen=True, slots=True)
class Verification:
    """A record and a new run of its cell."""

    original: Record
    again: Record

    @property
    def metric(self) -> Metric:
        """The task's primary metric; for a probe, the first of the costs."""
        return self.original.ranking.primary_metric or metric_of(next(iter(COSTS)))

    @property
    def split(self) -> str:
        """The split that is compared: test, or validation if the cell does not read test."""
        return "test" if self.original.cell.scores_test else "validation"

    @property
    def both_finished(self) -> bool:
        """Whether both runs have the status `ok`."""
        return self.original.status is self.again.status is Status.OK

    @property
    def had_same_data(self) -> bool:
        """Whether both trainings had the same raw examples."""
        return bool(self.original.fingerprint) and (
            self.original.fingerprint == self.again.fingerprint
        )

    @property
    def reproduced(self) -> bool:
        """Whether the new run agrees with the original.

        Trainings must have the same data, and scores within `TOLERANCE` of each other. Two finished
        probes agree, because costs depend on the machine. Otherwise both must have one status.
        """
        if not self.both_finished:
            return self.original.status is self.again.status
        if self.original.cell.mode is not Mode.TRAIN:
            return True
        scores = {pair.measure: (pair.original, pair.again) for pair in self.pairs}
        if not self.had_same_data or self.metric.name not in scores:
            return False
        first, second = scores[self.metric.name]
        return abs(first - second) <= TOLERANCE * abs(first)

    @property
    def pairs(self) -> Sequence[MeasurePair]:
        """The primary metric and the costs that both runs have."""
        original, again = (
            {**record.metrics.get(self.split, {}), **record.costs()}
            for record in (self.original, self.again)
        )
        return [
            MeasurePair(name, before, after)
            for name in dict.fromkeys((self.metric.name, *COSTS))
            if (before := original.get(name)) is not None and (after := again.get(name)) is not None
        ]

    def verdict(self) -> str:
        """Return the result in one line; empty for two finished probes, which get no verdict."""
        if not self.both_finished:
            reason = f" ({self.again.reason})" if self.again.reason else ""
            return (
                f"Status of the record: {self.original.status}; here: {self.again.status}{reason}"
            )
        if self.original.cell.mode is not Mode.TRAIN:
            return ""
        if not self.had_same_data:
            return "NOT reproduced: the new run had other data"
        verdict = "Reproduced" if self.reproduced else "NOT reproduced"
        where = "" if self.split == "test" else f" on {self.split}"
        return f"{verdict}: {self.metric.name}{where} within {TOLERANCE:.0%}"


def read_original(address: str | Path, store: Store, results: Path = RESULTS) -> Record:
    """Return the record at an address: a file, `FILE.jsonl.gz#RUN_ID`, or the id of a run.

    A run is searched in the home, and then among the published records.

    Raises:
        RequestError: there is no such record.
    """
    if RUN_ID.fullmatch(str(address)):
        found: list[str | Path] = [*store.records.glob(f"*.{address}.json")]
        published = () if found else read_published(results)
        found += [one.address for one in published if one.record.run_id == str(address)]
        if not found:
            raise RequestError(
                "The run must be in the home or in results/",
                received=address,
                remedy="Name the --home that has it, or a file",
            )
        address = found[0]
    try:
        return read_record(address)
    except (RecordError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(
            "The file to verify must be a record",
            received=f"{Path(address).name}: {reason}",
            remedy="Name a file, FILE.jsonl.gz#RUN_ID, or the id of a run",
        ) from None


def verify(
    record: Record,
    store: Store,
    run: RunPlan,
    *,
    registry: Registry,
    source: str | None = None,
    data_dir: str | None = None,
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> Verification:
    """Run the cell of a record again, and return both runs. The home gets the new record.

    `source` is the data, such as "files:DIR"; by default the source that the record names.

    Raises:
        RequestError: this version cannot run the cell, the record contradicts its benchmark, or the
            data was a user's own files and `source` does not name them.
    """
    if reason := benchmark_contradiction(record, registry):
        raise RequestError(
            "A record of a benchmark must agree with its frozen file",
            received=reason,
            remedy="Name a record of a benchmark as it is frozen here",
        )
    request = request_of(record.cell, registry, source, data_dir)
    prepared = prepare(
        request,
        store,
        rerun=True,
        limits=make_limits(request.benchmark, time_limit_seconds),
    )
    cell_id = record.cell_id
    (again,) = (one for one in run(_only(record, prepared)) if one.cell_id == cell_id)
    return Verification(record, again)


def request_of(
    cell: Cell, registry: Registry, source: str | None = None, data_dir: str | None = None
) -> Request:
    """Return a request whose matrix contains this cell; that of a probe has its earlier rounds too.

    Raises:
        RequestError: the cell was trained on a user's own files, and `source` is missing.
    """
    train = cell.mode is Mode.TRAIN
    options = as_text(cell.options)
    if cell.task:  # a tuned rate would replace the task's default
        task = registry.tasks.get(cell.task)
        options.setdefault("learning_rate", str(task.recipe.learning_rate))
    if train and cell.source == "files" and source is None:
        raise RequestError(
            "The record was trained on a user's own files",
            received="no --data",
            remedy="Name the folder of these files: --data files:DIR",
        )
    return Request(
        mode=cell.mode,
        tasks=(cell.task,) if cell.task else None,
        architectures=(cell.architecture,),
        lengths=(cell.sequence_length,),
        evaluation_lengths=cell.evaluation_lengths if train else None,
        seeds=(cell.seed,) if train else None,
        rounds=None if train else cell.round + 1,
        model_size=cell.model_size,
        batch_size=cell.batch_size,
        steps=cell.steps if train else None,
        source=source or cell.source,
        data_dir=data_dir,
        options=options,
        form=None if train else str(cell.form),
        backends=(cell.backend,),
        precisions=(cell.precision,),
        threads=cell.threads,
        methods=(tuple(method.text for method in cell.methods),),
    )


def _only(record: Record, prepared: Prepared) -> Prepared:
    """Return the plan with the record's cell and the cells whose trained models it takes."""
    cell = record.cell
    by_id = {planned.cell.id: planned for planned in prepared.plan.cells}
    same = [
        replace(planned, cell=cell, ranking=record.ranking)
        for planned in prepared.plan.cells
        if replace(planned.cell, benchmark=cell.benchmark, scores_test=cell.scores_test).id
        == cell.id
    ]
    checkout = f"Check out commit {str(commit_of(record.environment))[:10]}"
    if not same or record.protocol != PROTOCOL:
        raise RequestError(
            "This version cannot run the cell of the record",
            received=f"{cell_label(record.cell, record.ranking)}, protocol {record.protocol}, "
            f"task version {record.cell.task_version}, "
            f"architecture version {record.cell.architecture_version}",
            remedy=checkout,
        )
    if not has_parents_of(record, same[0]):
        raise RequestError(
            "A cell is verified with the models that it took, such as its teacher",
            received=f"the parents {record.details['parents']}; this checkout has "
            f"{dict(same[0].parents)}",
            remedy=f"{checkout}, with its results/tuning",
        )
    cells = [*_parents(same[0], by_id), same[0]]
    return replace(prepared, plan=replace(prepared.plan, cells=cells, done={}))


def _parents(planned: PlannedCell, by_id: Mapping[str, PlannedCell]) -> list[PlannedCell]:
    """Return the parents of a cell and theirs, each before the cells that need it."""
    found: dict[str, PlannedCell] = {}
    for cell_id in planned.parents.values():
        parent = by_id[cell_id]
        found |= {one.cell.id: one for one in [*_parents(parent, by_id), parent]}
    return list(found.values())
