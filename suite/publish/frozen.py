"""The check that a record ran under the frozen benchmark that the record names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suite.api import Cell, LengthwiseError, Mode
from suite.matrix.benchmarks import Benchmark, find_benchmark
from suite.records.schema import RecordSummary


def benchmark_contradiction(record: RecordSummary, search_path: Sequence[str] = ()) -> str | None:
    """Return how a record contradicts the frozen benchmark that it names; None if it does not.

    The hash must be that of the benchmark's version. If this version is the current one, the cell
    must have the benchmark's settings too. A record without a benchmark contradicts none.
    """
    label, stated = record.cell.benchmark, record.ranking.benchmark_hash
    if label is None:
        return f"it has the hash {stated} of a benchmark, but names none" if stated else None
    name, _, version = label.rpartition("-")
    try:
        benchmark = find_benchmark(name, search_path)
    except LengthwiseError as error:
        return f"its benchmark {label} cannot be checked: {error}"
    frozen = benchmark.frozen.get(version)
    if frozen is None:
        return f"its benchmark {label} is not frozen: `bench benchmarks --freeze {name}`"
    if stated != frozen:
        has = f"the hash {stated}" if stated else "no hash of its benchmark"
        return f"it has {has}, but {label} is frozen with the hash {frozen}"
    if version != str(benchmark.version):
        return None
    if setting := _other_setting(record, benchmark):
        return f"its {setting} is not that of the benchmark {label}"
    return None


def _other_setting(record: RecordSummary, benchmark: Benchmark) -> str | None:
    """Return a setting of a record's cell that a benchmark does not have; None if it has all."""
    cell = record.cell
    for name in ("model_size", "precision", "backend"):
        if (value := getattr(cell, name)) != getattr(benchmark, name):
            return f"{name} {value}"
    if cell.mode is not Mode.TRAIN:
        return None if _is_probe_of(cell, benchmark) else f"probe of length {cell.sequence_length}"
    settings = benchmark.tasks.get(cell.task or "")
    if settings is None:
        return None if benchmark.other_tasks else f"task {cell.task}"
    for name, value, known in (
        ("seed", cell.seed, benchmark.seeds),
        ("length", cell.sequence_length, settings.lengths),
        ("steps", cell.steps, (settings.steps,)),
        ("batch", cell.batch_size, (settings.batch_size(cell.sequence_length),)),
    ):
        if value not in known:
            return f"{name} {value}"
    return _other_option(record, benchmark, settings.options)


def _is_probe_of(cell: Cell, benchmark: Benchmark) -> bool:
    return any(
        settings.form is cell.form
        and cell.sequence_length in settings.lengths
        and cell.batch_size == settings.batch_size(cell.sequence_length)
        and cell.round < settings.rounds
        for settings in benchmark.probes
    )


def _other_option(
    record: RecordSummary, benchmark: Benchmark, of_task: Mapping[str, Any]
) -> str | None:
    """Return an option that the benchmark does not list for the entry; a tuned rate is no such."""
    cell = record.cell
    entries = [
        {},
        *(one.options for one in benchmark.entries if one.architecture == cell.architecture),
    ]
    listed = [{**of_task, **options} for options in entries]
    tuned = ("learning_rate",) if record.ranking.tuning else ()
    for name, value in cell.options.items():
        if name not in tuned and not any(options.get(name) == value for options in listed):
            return f"option {name}={value}"
    return None
