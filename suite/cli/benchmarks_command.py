"""`bench benchmarks`: lists, freezes and checks the benchmarks."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from suite.actions.benchmarks import Hours, expected_hours, freeze_benchmark
from suite.actions.listing import describe_benchmark
from suite.cli.command import home_option, json_option
from suite.records.benchmarks import DEFAULT_BENCHMARK, Benchmark
from suite.records.naming import data_text


@click.command("benchmarks")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--check", is_flag=True, help="Exit with 1 if a benchmark file cannot be used.")
@click.option("--freeze", "to_freeze", metavar="NAME", help="Write the hash of NAME into its file.")
@json_option
@home_option
def command(
    names: tuple[str, ...],
    check: bool,
    to_freeze: str | None,
    as_json: bool,
    home: str | None,
) -> None:
    """List the benchmarks, each in a line; with NAMES, the tasks, lengths and hours of these.

    The hours follow from the records of your home that ran on this machine, with the number of
    threads that most of the cells ran with. Cells that are unlike all of them are counted apart.
    The hours of tuning are those of searches without extensions. `bench plan` states the hours of a
    narrowed benchmark.

    A benchmark is a TOML file with tasks, lengths, seeds and steps. Only a frozen benchmark scores
    the test split. A frozen file that was edited needs a new version: --check and every run refuse
    it until then. --check also compares the hashes in [frozen] with those of the published runs.

    --freeze first checks the whole file: tasks, options, architectures, lengths, and the controls
    of a ranked benchmark. It reads the data of a ranked benchmark, and writes its fingerprints into
    the file: the leaderboard ranks only runs on this data. It also writes the test score of each
    task's trivial predictor (majority class, unigram, empty answer).

    \b
    Examples:
      bench benchmarks
      bench benchmarks core
      bench benchmarks --check
      bench plan --benchmark quick
    """
    if to_freeze:
        benchmark, content_hash = freeze_benchmark(to_freeze, home=home)
        print(f"{benchmark.label} is frozen with the hash {content_hash}")
        return
    usable, broken = expected_hours(names, home=home, check=check)
    if as_json:
        content = {
            benchmark.name: {**describe_benchmark(benchmark), **hours.to_dict()}
            for benchmark, hours in usable
        }
        print(json.dumps({"benchmarks": content, "broken": broken}, indent=1))
    elif not names:
        _print_lines(usable)
    else:
        for benchmark, hours in usable:
            _print(benchmark, hours)
        unknown = [benchmark.name for benchmark, hours in usable if hours.cells.seconds is None]
        if unknown:
            print(f"No record of this machine tells how long these take: {', '.join(unknown)}")
    for name, reason in broken.items():
        print(f"bench: unusable: {name}: {reason}", file=sys.stderr)
    if check and broken:
        sys.exit(1)


def _print_lines(usable: Sequence[tuple[Benchmark, Hours]]) -> None:
    width = max((len(benchmark.label) for benchmark, _ in usable), default=0)
    for benchmark, expected in sorted(usable, key=lambda one: one[0].name != DEFAULT_BENCHMARK):
        facts = ["" if benchmark.is_frozen else "draft", "ranked" if benchmark.ranked else ""]
        facts = ["default" if benchmark.name == DEFAULT_BENCHMARK else "", *facts]
        marks = ", ".join(filter(None, [*facts, f"{expected.cells.num_cells:,} cells"]))
        print(f"{benchmark.label:{width}}  {benchmark.summary} ({marks})")
    print("`bench benchmarks NAME` has the tasks, lengths and hours.")


def _print(benchmark: Benchmark, expected: Hours) -> None:
    state = f"frozen, hash {benchmark.content_hash}" if benchmark.is_frozen else "draft: not frozen"
    print(f"{benchmark.label} ({state}): {benchmark.summary}")
    ranked = "ranked" if benchmark.ranked else "not ranked"
    size = benchmark.model_size_text
    print(f"  {expected.cells.num_cells} cells, {benchmark.track} track, {ranked}, {size}")
    if expected.cells.seconds is not None:
        print(f"  {expected}")
    for name, settings in benchmark.each_settings:
        fields: dict[str, Any] = {"lengths": settings.lengths, "seeds": benchmark.seeds}
        axes = "; ".join(f"{axis} {', '.join(map(str, values))}" for axis, values in fields.items())
        steps = f"{settings.steps_text} steps of {settings.batch_text}"
        task = " ".join(filter(None, (name, data_text(settings.options))))
        print(f"  {task}: {axes}; {steps}")
    if tuning := benchmark.tuning:
        trials = "full trials" if tuning.full_trials else "short trials first"
        print(f"  tuning: {tuning.rates_text}, {trials}")
        for task, points in tuning.at.items():
            for point in points:
                search = tuning.of_point(task, point.length, point.steps)
                where = f"{task} at length {point.length:,}, {point.steps:,} steps"
                print(f"    {where}: {search.rates_text}")
    for probe in (*benchmark.probes, *benchmark.decodings):
        lengths = ", ".join(f"{length:,}" for length in probe.lengths)
        rounds = f"{probe.rounds} round{'s' if probe.rounds > 1 else ''}"
        what = "probe" if probe in benchmark.probes else "decode"
        print(f"  {what}, {probe.form}: lengths {lengths}; {rounds}, {probe.batch_text}")
