"""`bench benchmarks`: lists, freezes and checks the benchmarks."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from suite.api import RequestError
from suite.api.plugins import search_path_from_environment
from suite.cli.options import json_option
from suite.matrix.benchmarks import Benchmark, freeze
from suite.matrix.expansion import expand
from suite.matrix.listing import describe_benchmark
from suite.matrix.registry import Registry, load_registry
from suite.matrix.request import Request


@click.command("benchmarks")
@click.option("--check", is_flag=True, help="Exit with 1 if a benchmark file cannot be used.")
@click.option("--freeze", "to_freeze", metavar="NAME", help="Write the hash of NAME into its file.")
@json_option
def command(check: bool, to_freeze: str | None, as_json: bool) -> None:
    """List the benchmarks with their numbers of cells.

    A benchmark is a TOML file with tasks, lengths, seeds and steps. Only a frozen benchmark scores
    the test split. A frozen file that was edited needs a new version: --check and every run refuse
    it until then.

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
    if as_json:
        content = {
            name: {**describe_benchmark(one), "num_cells": _count(one, registry)}
            for name, one in benchmarks.plugins.items()
        }
        print(json.dumps({"benchmarks": content, "broken": dict(benchmarks.broken)}, indent=1))
    else:
        for one in benchmarks.plugins.values():
            _print(one, _count(one, registry))
    for name, reason in benchmarks.broken.items():
        print(f"bench: unusable: {name}: {reason}", file=sys.stderr)
    if check and benchmarks.broken:
        sys.exit(1)


def _count(benchmark: Benchmark, registry: Registry) -> int:
    """Return the number of cells that can run."""
    try:
        cells = expand(Request(mode=None, benchmark=benchmark.name), registry)
    except RequestError:
        return 0
    return sum(planned.unsupported is None for planned in cells)


def _print(benchmark: Benchmark, num_cells: int) -> None:
    state = f"frozen, hash {benchmark.content_hash}" if benchmark.is_frozen else "draft: not frozen"
    print(f"{benchmark.label} ({state}): {benchmark.summary}")
    ranked = "ranked" if benchmark.ranked else "not ranked"
    print(f"  {num_cells} cells, {benchmark.track} track, {ranked}, size {benchmark.model_size}")
    for name, settings in benchmark.tasks.items():
        fields: dict[str, Any] = {"lengths": settings.lengths, "seeds": benchmark.seeds}
        axes = "; ".join(f"{axis} {', '.join(map(str, at))}" for axis, at in fields.items())
        print(f"  {name}: {axes}; {settings.steps:,} steps of {settings.batch_text}")
    for probe in benchmark.probes:
        lengths = ", ".join(f"{length:,}" for length in probe.lengths)
        rounds = f"{probe.rounds} round{'s' if probe.rounds > 1 else ''}"
        print(f"  probe, {probe.form}: lengths {lengths}; {rounds}, {probe.batch_text}")
