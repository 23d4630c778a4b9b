"""The check that a record is a run of the frozen benchmark that the record names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from suite.analysis.entry_at_length import parts_of
from suite.api import Cell, LengthwiseError, Mode, RequestError
from suite.matrix.expansion import expand
from suite.matrix.ranking_facts import ranking_facts
from suite.matrix.registry import Registry
from suite.matrix.request import Request
from suite.records.benchmarks import Benchmark
from suite.records.naming import split_label
from suite.records.published import StoredRecord, committed_path, is_final
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
    follow from its trials. A record without a benchmark contradicts none. A caller with many
    records passes one dictionary `expanded`, which keeps cells from one call to the next.
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


def check_finals(entries: Iterable[StoredRecord], registry: Registry) -> None:
    """Check the committed final runs of each benchmark's current version.

    Runs of former versions of a benchmark, a task, an architecture or a method are not checked.

    Raises:
        RequestError: a run contradicts its benchmark, or its score does not follow from its parts.
        PluginError: the file of a run's benchmark cannot be used.
    """
    expanded: Expanded = {}
    for entry in filter(lambda entry: is_final(entry.record), entries):
        record, cell = entry.record, entry.record.cell
        name, _ = split_label(str(cell.benchmark))
        if name not in {**registry.benchmarks.plugins, **registry.benchmarks.broken}:
            continue
        task = registry.tasks.plugins.get(str(cell.task))
        architecture = registry.architectures.plugins.get(cell.architecture)
        versions = cell.task_version, cell.architecture_version
        current = registry.benchmarks.get(name).label_of(cell.task)
        if cell.benchmark != current or not (task and architecture):
            continue
        if versions != (task.version, architecture.version):
            continue
        known = registry.methods.plugins
        if any(known[one.name].version != one.version for one in cell.methods if one.name in known):
            continue
        reason = benchmark_contradiction(record, registry, expanded)
        if reason := reason or outside_its_parts(record, task.primary_metric.name):
            raise RequestError(
                "A published final run must agree with its benchmark and with its own parts",
                received=f"{committed_path(record)}, run {record.run_id}: {reason}",
                remedy="Restore the record as it was published, or remove it",
            )


def outside_its_parts(record: RecordSummary, metric: str) -> str | None:
    """Return that a test score lies outside the range of its parts; None where it does not."""
    value = record.metric(metric)
    known = [part for part in parts_of(record, metric) if part is not None]
    if value is None or not known:
        return None
    slack = 1e-6 * abs(value)
    if min(known) - slack <= value <= max(known) + slack:
        return None
    return f"test {metric} {value:.4g} lies outside the range of its parts"


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
    settings = benchmark.tasks.get(cell.task or "")
    if not settings or not record.fingerprint or not cell.task:
        return None
    own = settings.source or registry.tasks.get(cell.task).default_source
    stated = benchmark.fingerprint(cell.task, cell.sequence_length)
    if stated in (None, record.fingerprint) or cell.source != own:
        return None
    return (
        f"its data has the fingerprint {record.fingerprint:.16}, but that of the benchmark "
        f"{benchmark.label} has {stated:.16}: prepare the source {own} again"
    )


def _differences(cell: Cell, other: Cell) -> Sequence[str]:
    """Return the settings of a cell that another cell has not."""
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
    """Return a ranking fact of a record that is not that of its cell; None if all are.

    The facts of a cell of another version of its task are not known here.
    """
    cell, stated = record.cell, record.ranking
    task = registry.tasks.get(cell.task) if cell.task else None
    if task is not None and cell.task_version != task.version:
        return None
    if task is not None and cell.source_kind not in task.sources:
        return f"its source {cell.source} is none of the task {cell.task}"
    facts = ranking_facts(cell, task, stated.tuning, benchmark)
    for name in RankingFacts.model_fields:
        known, told = getattr(facts, name), getattr(stated, name)
        if known != told:
            return f"its ranking fact {name} is {told!r}, but that of its cell is {known!r}"
    if task is None:
        return None
    return evidence_problem(record, task, benchmark)
