"""Before tuning: what a plan, the expected hours and the help say about it."""

from __future__ import annotations

import json

from suite.analysis.tuning import tuning_cells
from suite.api.plugins import search_path_from_environment
from suite.matrix.freezing import checked_cells
from suite.matrix.registry import load_registry
from tests.suite.analysis.test_tuning import benchmark, corpus

__all__ = ["benchmark"]  # a fixture


def test_a_plan_names_the_cells_that_need_tuning_first(bench, tmp_path, benchmark):
    source = corpus(tmp_path / "corpus", "Ella")
    words = ("--benchmark", benchmark, "--task", "ner", "--architectures", "vanilla")
    path = {"BENCH_PATH": str(tmp_path / "plugins")}
    text = bench("plan", *words, "--data", source, **path).stdout
    assert "6 cells, 0 to run, 6 to tune\n" in text and text.count("  to tune\n") == 6
    command = f"bench tune --benchmark tuned --task ner --data {source}"
    assert f"6 cells need tuned learning rates first: {command}\n" in text
    (cell, *_) = json.loads(bench("plan", *words, "--json", **path).stdout)
    assert cell["to_tune"] and not cell["to_run"]
    trials = bench("plan", *words, "--steps", "3", **path).stdout
    assert "6 cells, 6 to run\n" in trials and "tune" not in trials


def test_the_trials_of_a_benchmark_are_those_of_searches_without_extensions(benchmark):
    registry = load_registry(search_path_from_environment())
    tuned = registry.benchmarks.get(benchmark)
    cells = [planned for planned in checked_cells(tuned, registry) if not planned.unsupported]
    entries = {(one.ranking.entry, one.cell.sequence_length) for one in cells}
    trials = tuning_cells(cells, tuned, registry.tasks.plugins)
    assert len(trials) == len(entries) * (7 + 3 * 2)
    assert not any(trial.scores_test or trial.benchmark for trial in trials)
    quick = registry.benchmarks.get("quick")
    assert tuning_cells(checked_cells(quick, registry), quick, registry.tasks.plugins) == []


def test_the_help_lists_no_option_that_tuning_refuses(bench):
    text = " ".join(bench("tune", "--help").stdout.split())
    assert "Seeds of the long trials, at least two. [default: those of the benchmark's" in text
    assert "--lengths" in text
    assert not any(option in text for option in ("--mode ", "--rounds", "--form", "--test"))
    assert "--mode " in bench("run", "--help").stdout
