"""`bench benchmarks`: lists, freezes and checks the benchmarks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from suite.analysis.aggregate import compare
from suite.analysis.boards import rank_comparisons
from suite.analysis.core_table import reference_scores
from suite.analysis.final_boards import final_boards, points_of
from suite.analysis.tuning import tuning_cells
from suite.api import LengthwiseError
from suite.api.plugins import search_path_from_environment
from suite.cli.options import home_option, json_option, make_store
from suite.execution.benchmark_data import describe_data
from suite.keywords import DATA_DIR_VARIABLE
from suite.matrix.benchmarks import Benchmark
from suite.matrix.durations import Durations, ExpectedTime, durations_here
from suite.matrix.freezing import (
    PublishedHashes,
    check_published,
    checked_cells,
    freeze,
    published_hashes,
)
from suite.matrix.listing import describe_benchmark
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import Registry, load_registry
from suite.matrix.scales import add_to_scale
from suite.records.environment import num_cores
from suite.records.published import read_published
from suite.records.store import Store


@click.command("benchmarks")
@click.option("--check", is_flag=True, help="Exit with 1 if a benchmark file cannot be used.")
@click.option("--freeze", "to_freeze", metavar="NAME", help="Write the hash of NAME into its file.")
@click.option(
    "--reference",
    metavar="NAME",
    help="Write the scores that count as 0 and 100 into the file of NAME, where they are missing.",
)
@json_option
@home_option
def command(
    check: bool, to_freeze: str | None, reference: str | None, as_json: bool, home: str | None
) -> None:
    """List the benchmarks with their numbers of cells and their expected hours on this machine.

    The hours follow from the records of your home that ran on this machine, with the number of
    threads that most of the cells ran with. Cells that are unlike all of them are counted apart.
    The hours of tuning are those of searches without extensions. `bench plan` states the hours of a
    narrowed benchmark.

    A benchmark is a TOML file with tasks, lengths, seeds and steps. Only a frozen benchmark scores
    the test split. A frozen file that was edited needs a new version: --check and every run refuse
    it until then. --check also compares the hashes in [frozen] with those of the published runs.

    --freeze first checks the whole file: tasks, options, architectures, lengths, and the controls
    of a ranked benchmark. It reads the data of a ranked benchmark, and writes its fingerprints into
    the file: the leaderboard ranks only runs on this data.

    --reference scores the trivial predictor of each task (majority class, unigram, empty answer) on
    the data of the benchmark, and takes the scores of `vanilla` from the published final runs. It
    changes a score of the file only if the task or `vanilla` has another version now.

    \b
    Examples:
      bench benchmarks
      bench benchmarks --check
      bench plan --benchmark quick
    """
    registry = load_registry(search_path_from_environment())
    benchmarks = registry.benchmarks
    if to_freeze:
        benchmark = benchmarks.get(to_freeze)
        checked_cells(benchmark, registry)
        check_published(benchmark, published_hashes())
        data = _fingerprints(benchmark, make_store(home))
        print(f"{benchmark.label} is frozen with the hash {freeze(benchmark, data)}")
        return
    if reference:
        num_new = _add_reference(benchmarks.get(reference), registry, make_store(home))
        print(f"{num_new} scores were added to the scale of {reference}")
        return
    usable, broken = _usable(registry, published_hashes() if check else {})
    durations = durations_here(make_store(home))
    expected = {
        name: _expected(cells, benchmarks.get(name), registry, durations)
        for name, cells in usable.items()
    }
    if as_json:
        content = {
            name: {**describe_benchmark(benchmarks.get(name)), **expected[name].to_dict()}
            for name in usable
        }
        print(json.dumps({"benchmarks": content, "broken": broken}, indent=1))
    else:
        for name in usable:
            _print(benchmarks.get(name), expected[name])
        if unknown := [name for name in usable if expected[name].cells.seconds is None]:
            print(f"No record of this machine tells how long these take: {', '.join(unknown)}")
    for name, reason in broken.items():
        print(f"bench: unusable: {name}: {reason}", file=sys.stderr)
    if check and broken:
        sys.exit(1)


def _usable(
    registry: Registry, hashes: PublishedHashes
) -> tuple[dict[str, list[PlannedCell]], dict[str, str]]:
    """Return the cells that can run of each benchmark, and why the other files are unusable."""
    usable: dict[str, list[PlannedCell]] = {}
    broken = dict(registry.benchmarks.broken)
    for name, benchmark in registry.benchmarks.plugins.items():
        try:
            cells = checked_cells(benchmark, registry)
            check_published(benchmark, hashes)
        except LengthwiseError as error:
            broken[name] = str(error)
        else:
            usable[name] = [planned for planned in cells if not planned.unsupported]
    return usable, broken


def _fingerprints(benchmark: Benchmark, store: Store) -> dict[str, dict[int, str]]:
    """Return the fingerprints of the data of a ranked benchmark, by task and length."""
    if not (benchmark.ranked and benchmark.tasks):
        return {}
    return {
        task: {length: facts.fingerprint for length, facts in of_task.items()}
        for task, of_task in describe_data(benchmark, store, _data_dir()).items()
    }


def _add_reference(benchmark: Benchmark, registry: Registry, store: Store) -> int:
    """Score the trivial predictors, and read the reference from the published final runs."""
    zeros = {
        task: {n: facts.trivial for n, facts in of_task.items() if facts.trivial is not None}
        for task, of_task in describe_data(benchmark, store, _data_dir()).items()
    }
    comparisons = compare(read_published(), registry.task_versions)
    boards = final_boards(benchmark, rank_comparisons(comparisons), registry.tasks.plugins)
    hundreds = reference_scores(boards, points_of(boards, comparisons))
    return add_to_scale(benchmark, zeros, hundreds, registry.tasks.plugins)


def _data_dir() -> str | None:
    return os.environ.get(DATA_DIR_VARIABLE)


@dataclass(frozen=True, slots=True)
class _Hours:
    """The expected times of a benchmark's cells and of its tuning, with a number of threads."""

    threads: int
    cells: ExpectedTime
    tuning: ExpectedTime

    def to_dict(self) -> dict[str, Any]:
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


def _expected(
    planned: Sequence[PlannedCell], benchmark: Benchmark, registry: Registry, durations: Durations
) -> _Hours:
    """Return the expected times with the number of threads of most known cells.

    Of equal numbers of threads all cores count. Trainings of few threads run beside each other.
    """
    trials = tuning_cells(planned, benchmark, registry.tasks.plugins)
    cores = num_cores()

    def expect(threads: int) -> _Hours:
        parallel = 1 if benchmark.probes or benchmark.decodings else max(1, cores // threads)
        cells, of_tuning = (
            durations.expected([replace(cell, threads=threads) for cell in found], parallel)
            for found in ([one.cell for one in planned], trials)
        )
        return _Hours(threads, cells, of_tuning)

    others = sorted(durations.thread_counts - {cores}, reverse=True)
    return min(map(expect, [cores, *others]), key=lambda hours: hours.cells.num_unknown)


def _print(benchmark: Benchmark, expected: _Hours) -> None:
    state = f"frozen, hash {benchmark.content_hash}" if benchmark.is_frozen else "draft: not frozen"
    print(f"{benchmark.label} ({state}): {benchmark.summary}")
    ranked = "ranked" if benchmark.ranked else "not ranked"
    size = benchmark.model_size_text
    print(f"  {expected.cells.num_cells} cells, {benchmark.track} track, {ranked}, {size}")
    if expected.cells.seconds is not None:
        print(f"  {expected}")
    for name, settings in benchmark.tasks.items():
        fields: dict[str, Any] = {"lengths": settings.lengths, "seeds": benchmark.seeds}
        axes = "; ".join(f"{axis} {', '.join(map(str, at))}" for axis, at in fields.items())
        print(f"  {name}: {axes}; {settings.steps_text} steps of {settings.batch_text}")
    if tuning := benchmark.tuning:
        rates = f"{len(tuning.learning_rates)} learning rates"
        trials = "full trials" if tuning.full_trials else "short trials first"
        print(f"  tuning: {rates}, {trials}, seeds {', '.join(map(str, tuning.seeds))}")
    for probe in (*benchmark.probes, *benchmark.decodings):
        lengths = ", ".join(f"{length:,}" for length in probe.lengths)
        rounds = f"{probe.rounds} round{'s' if probe.rounds > 1 else ''}"
        what = "probe" if probe in benchmark.probes else "decode"
        print(f"  {what}, {probe.form}: lengths {lengths}; {rounds}, {probe.batch_text}")
