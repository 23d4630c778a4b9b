"""The check that a record is a run of the frozen benchmark that the record names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from suite.api import Cell, LengthwiseError, Mode
from suite.matrix.expansion import expand
from suite.matrix.planned_cells import ranking_facts
from suite.matrix.registry import Registry
from suite.matrix.request import Request
from suite.records.benchmarks import Benchmark
from suite.records.naming import split_label
from suite.records.schema import RankingFacts, RecordSummary
from suite.search.tuning_evidence import evidence_problem

Expanded = dict[tuple[object, ...], list[Cell]]
"""The cells of a benchmark by what their expansion depends on."""


def benchmark_contradiction(
    record: RecordSummary, registry: Registry, expanded: Expanded | None = None
) -> str | None:
    """Return how a record contradicts the frozen benchmark that it names; None if it does not.

    The version and its hash must be the current ones. The cell must be one of the benchmark's
    cells, except for the data and the threads. Data of the benchmark's own source must have the
    stated fingerprint. The ranking facts must be those of the cell, and a tuned learning rate must
    follow from its trials. `expanded` keeps cells from one call to the next.
    """
    label, stated = record.cell.benchmark, record.ranking.benchmark_hash
    if label is None:
        if record.ranking.ranked:
            return "it claims a rank, but names no benchmark"
        return f"it has the hash {stated} of a benchmark, but names none" if stated else None
    name, version = split_label(label)
    try:
        benchmark = registry.benchmarks.get(name)
    except LengthwiseError as error:
        return f"its benchmark {label} cannot be checked: {error}"
    frozen = benchmark.frozen.get(version)
    if frozen is None:
        return f"its benchmark {label} is not frozen: `bench benchmarks --freeze {name}`"
    if stated != frozen:
        has = f"the hash {stated}" if stated else "no hash of its benchmark"
        return f"it has {has}, but {label} is frozen with the hash {frozen}"
    if label != (current := benchmark.label_of(record.cell.task)):
        return f"its benchmark {label} is not the current {current}: run the cell again"
    try:
        return (
            _other_cell(record, benchmark, registry, {} if expanded is None else expanded)
            or _other_data(record, benchmark, registry)
            or _other_facts(record, benchmark, registry)
        )
    except LengthwiseError as error:
        return f"its cell cannot be checked against the benchmark {label}: {error}"


def _other_cell(
    record: RecordSummary, benchmark: Benchmark, registry: Registry, expanded: Expanded
) -> str | None:
    """Return a setting in which a record's cell differs from the nearest cell of a benchmark."""
    cell, tuning = record.cell, record.ranking.tuning
    train = cell.mode is Mode.TRAIN
    request = Request(
        mode=cell.mode,
        benchmark=benchmark.name,
        tasks=(cell.task,) if cell.task else None,
        architectures=(cell.architecture,),
        form=None if train else str(cell.form),
    )
    rate = tuning.learning_rate if tuning else None
    place = (cell.mode, benchmark.name, cell.task, cell.architecture, request.form, rate)
    if place not in expanded:
        found = expand(request, registry, lambda _: tuning)
        expanded[place] = [planned.cell for planned in found]
    of_benchmark = [
        replace(other, source=cell.source, threads=cell.threads) for other in expanded[place]
    ]
    differences = min((_differences(cell, other) for other in of_benchmark), key=len)
    if differences:
        return f"its {differences[0]} is not that of the benchmark {benchmark.label}"
    return None


def _other_data(record: RecordSummary, benchmark: Benchmark, registry: Registry) -> str | None:
    """Return how the data of the benchmark's source differs from that of the benchmark."""
    cell = record.cell
    several = benchmark.tasks.get(cell.task or "")
    if not several or not record.fingerprint or not cell.task:
        return None
    first, *_ = several  # all settings of a task share the source
    own = first.source or registry.tasks.get(cell.task).default_source
    stated = benchmark.fingerprint(cell.task, cell.sequence_length)
    if stated in (None, record.fingerprint) or cell.source != own:
        return None
    return (
        f"its data has the fingerprint {record.fingerprint:.16}, but that of the benchmark "
        f"{benchmark.label} has {stated:.16}: prepare the source {own} again"
    )


def _differences(cell: Cell, other: Cell) -> Sequence[str]:
    found = [
        f"{name} {getattr(cell, name)}"
        for name in cell.__dataclass_fields__
        if name != "options" and getattr(cell, name) != getattr(other, name)
    ]
    options = {**other.options, **cell.options}
    found += [
        f"option {name}={cell.options.get(name, 'default')}"
        for name in options
        if cell.options.get(name) != other.options.get(name)
    ]
    return found


def _other_facts(record: RecordSummary, benchmark: Benchmark, registry: Registry) -> str | None:
    """Return a ranking fact of a record that is not that of its cell; None if all are."""
    cell, stated = record.cell, record.ranking
    task = registry.tasks.get(cell.task) if cell.task else None
    if task is not None and cell.task_version != task.version:
        return None  # the facts of another version are not known here
    if task is not None and cell.source_kind not in task.sources:
        return f"its source {cell.source} is none of the task {cell.task}"
    facts = ranking_facts(cell, task, stated.tuning, benchmark)
    for name in RankingFacts.model_fields:
        known, told = getattr(facts, name), getattr(stated, name)
        if known != told:
            return f"its ranking fact {name} is {told!r}, but that of its cell is {known!r}"
    return evidence_problem(record, task, benchmark) if task else None
