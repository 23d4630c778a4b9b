"""List the benchmarks with their expected hours, and freeze one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from suite.actions.request import DATA_DIR_VARIABLE, PathLike, make_store
from suite.api import LengthwiseError, RequestError, check_name
from suite.execution.benchmark_data import describe_data
from suite.matrix.durations import Durations, ExpectedTime, durations_here
from suite.matrix.freezing import (
    check_published,
    checked_cells,
    freeze,
    published_hashes,
)
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import Registry, load_registry
from suite.records.benchmarks import Benchmark
from suite.records.environment import num_cores
from suite.search.tuning import tuning_cells


@dataclass(frozen=True, slots=True)
class Hours:
    """The expected times of a benchmark's cells and of its tuning, with a number of threads."""

    threads: int
    cells: ExpectedTime
    tuning: ExpectedTime

    def to_dict(self) -> dict[str, Any]:
        """Return the times as `bench benchmarks --json` prints them."""
        return {
            "num_cells": self.cells.num_cells,
            "expected_seconds": self.cells.seconds,
            "num_cells_of_unknown_duration": self.cells.num_unknown,
            "num_trials": self.tuning.num_cells,
            "expected_tuning_seconds": self.tuning.seconds,
            "threads": self.threads,
            "parallel": self.cells.parallel,
        }

    def __str__(self) -> str:
        at_a_time = "one cell" if self.cells.parallel == 1 else f"{self.cells.parallel} cells"
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        text = f"the cells take {self.cells}, {at_a_time} at a time with {threads} each"
        if self.tuning.num_cells:
            text += f"; before, {self.tuning.num_cells:,} trials of tuning take {self.tuning}"
        return text


def expected_hours(
    names: Sequence[str] = (), *, home: PathLike | None = None, check: bool = False
) -> tuple[list[tuple[Benchmark, Hours]], dict[str, str]]:
    """Return the usable benchmarks with their hours, and why the other files are unusable.

    Without `names`, these are all benchmarks. The hours follow from the records of a home that ran
    on this machine. `check` compares the frozen hashes with those of the published runs.

    Raises:
        RequestError: there is no benchmark of a name.
    """
    registry = load_registry()
    benchmarks = registry.benchmarks
    asked = names or [*benchmarks.plugins, *benchmarks.broken]
    for name in names:
        _check_name(name, registry)
    durations = durations_here(make_store(home))
    hashes = published_hashes() if check else {}
    usable: list[tuple[Benchmark, Hours]] = []
    broken = {name: benchmarks.broken[name] for name in asked if name in benchmarks.broken}
    for benchmark in (benchmarks.plugins[name] for name in asked if name in benchmarks.plugins):
        try:
            cells = checked_cells(benchmark, registry)
            check_published(benchmark, hashes)
        except LengthwiseError as error:
            broken[benchmark.name] = str(error)
        else:
            planned = [cell for cell in cells if not cell.unsupported]
            usable.append((benchmark, _expected(planned, benchmark, registry, durations)))
    return usable, broken


def _check_name(name: str, registry: Registry) -> None:
    """Raise a RequestError unless a name is that of a benchmark."""
    known = {*registry.benchmarks.plugins, *registry.benchmarks.broken}
    for kind in (registry.tasks, registry.architectures, registry.methods):
        if name not in known and name in {*kind.plugins, *kind.broken}:
            raise RequestError(
                "`bench benchmarks` shows benchmarks",
                received=f"the {kind.word} {name}",
                remedy=f"Run `bench list {name}`",
            )
    check_name("benchmark", name, known)


def freeze_benchmark(name: str, *, home: PathLike | None = None) -> tuple[Benchmark, str]:
    """Write the hash of a benchmark into its file; return the benchmark and the hash.

    The fingerprints of the data of a ranked benchmark are written too, and the scores of trivial
    predictors on it.

    Raises:
        LengthwiseError: the file cannot be used, its version has published runs, or data is
            missing.
    """
    registry = load_registry()
    benchmark = registry.benchmarks.get(name)
    checked_cells(benchmark, registry)
    check_published(benchmark, published_hashes())
    if not (benchmark.ranked and benchmark.tasks):
        return benchmark, freeze(benchmark)
    facts = describe_data(benchmark, make_store(home), os.environ.get(DATA_DIR_VARIABLE))
    data: dict[str, dict[int, str]] = {}
    trivial: dict[str, dict[int, float]] = {}
    for task, lengths in facts.items():
        for length, of_length in lengths.items():
            data.setdefault(task, {})[length] = of_length.fingerprint
            if of_length.trivial is not None:
                trivial.setdefault(task, {})[length] = of_length.trivial
    return benchmark, freeze(benchmark, data, trivial)


def _expected(
    planned: Sequence[PlannedCell], benchmark: Benchmark, registry: Registry, durations: Durations
) -> Hours:
    """Return the expected times with the number of threads of most known cells, or with all cores.

    Trainings with few threads run at the same time.
    """
    trials = tuning_cells(planned, benchmark, registry.tasks.plugins)
    cores = num_cores()

    def expect(threads: int) -> Hours:
        parallel = 1 if benchmark.probes or benchmark.decodings else max(1, cores // threads)
        final, tuning = (
            durations.expected([replace(cell, threads=threads) for cell in cells], parallel)
            for cells in ([item.cell for item in planned], trials)
        )
        return Hours(threads, final, tuning)

    others = sorted(durations.thread_counts - {cores}, reverse=True)
    return min(map(expect, [cores, *others]), key=lambda hours: hours.cells.num_unknown)
