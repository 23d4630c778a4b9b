"""`bench benchmarks`: lists, freezes and checks the benchmarks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from suite.analysis.aggregate import compare
from suite.analysis.boards import rank_comparisons
from suite.analysis.core_table import reference_scores
from suite.analysis.final_boards import final_boards
from suite.analysis.rate_search import MAX_COST
from suite.api.plugins import search_path_from_environment
from suite.cli.options import home_option, json_option, make_store
from suite.execution.trivial import trivial_scores
from suite.matrix.benchmarks import Benchmark, freeze
from suite.matrix.durations import Durations, durations_here
from suite.matrix.expansion import expand
from suite.matrix.listing import describe_benchmark
from suite.matrix.registry import Registry, load_registry
from suite.matrix.request import Request
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

    The hours follow from the records of your home that ran on this machine. Cells that are unlike
    all of them are counted apart.

    A benchmark is a TOML file with tasks, lengths, seeds and steps. Only a frozen benchmark scores
    the test split. A frozen file that was edited needs a new version: --check and every run refuse
    it until then.

    --reference scores the trivial predictor of each task (majority class, unigram, empty answer) on
    the data of the benchmark, and takes the scores of `vanilla` from the published final runs. It
    never changes a score that the file has.

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
        print(f"{benchmark.label} is frozen with the hash {freeze(benchmark)}")
        return
    if reference:
        num_new = _add_reference(benchmarks.get(reference), registry, make_store(home))
        print(f"{num_new} scores were added to the scale of {reference}")
        return
    durations = durations_here(make_store(home))
    if as_json:
        content = {
            name: {**describe_benchmark(one), **_expected(one, registry, durations)}
            for name, one in benchmarks.plugins.items()
        }
        print(json.dumps({"benchmarks": content, "broken": dict(benchmarks.broken)}, indent=1))
    else:
        for one in benchmarks.plugins.values():
            _print(one, _expected(one, registry, durations))
    for name, reason in benchmarks.broken.items():
        print(f"bench: unusable: {name}: {reason}", file=sys.stderr)
    if check and benchmarks.broken:
        sys.exit(1)


def _add_reference(benchmark: Benchmark, registry: Registry, store: Store) -> int:
    """Score the trivial predictors, and read the reference from the published final runs."""
    zeros = trivial_scores(benchmark, store, os.environ.get("TFDS_DATA_DIR"))
    records = read_published()
    comparisons = compare(records, registry.task_versions)
    boards = rank_comparisons(comparisons, records)
    hundreds = reference_scores(final_boards(benchmark, boards, registry.tasks.plugins))
    tasks = registry.tasks.plugins.items()
    losses = [name for name, task in tasks if not task.primary_metric.higher_is_better]
    return add_to_scale(benchmark, zeros, hundreds, losses)


def _expected(benchmark: Benchmark, registry: Registry, durations: Durations) -> dict[str, Any]:
    """Return the number of cells that can run and their expected time, one after another."""
    request = Request(mode=None, benchmark=benchmark.name, threads=num_cores())
    cells = [planned.cell for planned in expand(request, registry) if not planned.unsupported]
    seconds, unknown = durations.total_seconds(cells)
    known = len(cells) > unknown
    return {
        "num_cells": len(cells),
        "expected_seconds": seconds if known else None,
        "num_cells_of_unknown_duration": unknown,
    }


def _print(benchmark: Benchmark, expected: Mapping[str, Any]) -> None:
    state = f"frozen, hash {benchmark.content_hash}" if benchmark.is_frozen else "draft: not frozen"
    print(f"{benchmark.label} ({state}): {benchmark.summary}")
    ranked = "ranked" if benchmark.ranked else "not ranked"
    size = f"size {benchmark.model_size}"
    print(f"  {expected['num_cells']} cells, {benchmark.track} track, {ranked}, {size}")
    print(f"  {_hours(expected)}")
    for name, settings in benchmark.tasks.items():
        fields: dict[str, Any] = {"lengths": settings.lengths, "seeds": benchmark.seeds}
        axes = "; ".join(f"{axis} {', '.join(map(str, at))}" for axis, at in fields.items())
        print(f"  {name}: {axes}; {settings.steps:,} steps of {settings.batch_text}")
    if tuning := benchmark.tuning:
        rates = f"{len(tuning.learning_rates)} learning rates"
        print(f"  tuning: {rates}, at most {MAX_COST} final runs per entry, task and length")
    for probe in benchmark.probes:
        lengths = ", ".join(f"{length:,}" for length in probe.lengths)
        rounds = f"{probe.rounds} round{'s' if probe.rounds > 1 else ''}"
        print(f"  probe, {probe.form}: lengths {lengths}; {rounds}, {probe.batch_text}")


def _hours(expected: Mapping[str, Any]) -> str:
    """Return the expected time of a benchmark in words."""
    seconds, unknown = expected["expected_seconds"], expected["num_cells_of_unknown_duration"]
    if seconds is None:
        return "expected time unknown: no record of this machine has such a cell"
    text = f"about {seconds / 3_600:.1f} hours on this machine, one cell at a time"
    return f"{text}; {unknown} cells like none that has run" if unknown else text
