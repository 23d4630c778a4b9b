"""Before tuning: what a plan, the expected hours and the help say about it."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from suite.matrix.expansion import expand
from suite.matrix.freezing import checked_cells
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.environment import describe_machine, num_cores
from suite.records.schema import Measurement
from suite.search.tuning import tune, tuning_cells
from tests.builders.records import make_record
from tests.builders.tunings import benchmark, corpus, learner, peak_at

__all__ = ["benchmark"]  # a fixture


def test_a_plan_names_the_cells_that_need_tuning_first(bench, tmp_path, benchmark):
    source = corpus(tmp_path / "corpus", "Ella")
    words = ("--benchmark", benchmark, "--task", "ner", "--architectures", "vanilla")
    path = {"BENCH_PATH": str(tmp_path / "plugins")}
    text = bench("plan", *words, "--data", source, **path).stdout
    assert "6 cells, 0 to run, 6 to tune\n" in text and text.count("  to tune\n") == 6
    command = f"bench tune --benchmark tuned --task ner --data {source} --architectures vanilla"
    assert f"6 cells need tuned learning rates first: {command}\n" in text
    (cell, *_) = json.loads(bench("plan", *words, "--json", **path).stdout)
    assert cell["to_tune"] and not cell["to_run"]
    trials = bench("plan", *words, "--steps", "3", **path).stdout
    assert "6 cells, 6 to run\n" in trials and "tune" not in trials


def finished_cells(store, benchmark, source="files", **fields):
    """Write a finished training of 50 s, of which 10 s were 100 steps, to the home."""
    registry = load_registry()
    request = Request(tasks=("ner",), benchmark=benchmark, architectures=("vanilla",), seeds=(9,))
    step = Measurement(value=0.1, n=1, samples=(0.1,))
    for planned in expand(dataclasses.replace(request, **fields), registry):
        cell = dataclasses.replace(planned.cell, source=source)
        store.write(
            make_record(
                cell=cell,
                ranking=planned.ranking,
                environment=dict(describe_machine()),
                worker_seconds=40 + 0.1 * cell.steps,
                measurements={"training": {"step_seconds": step}},
            )
        )


@pytest.mark.parametrize("draft", [False, True])
def test_a_plan_states_what_runs_now_what_waits_and_the_time_of_each(
    bench, tmp_path, store, benchmark, draft
):
    """Drafts wait for nothing, but lack tuned rates too."""
    path = tmp_path / "plugins" / "benchmarks" / "tuned.toml"
    if draft:
        path.write_text(path.read_text().replace("version = 1", "version = 2"))
    finished_cells(store, benchmark, threads=1)
    source = corpus(tmp_path / "corpus", "Ella")
    words = ("--benchmark", benchmark, "--task", "ner", "--architectures", "vanilla", "--data",
             source, "--lengths", "128", "--threads", "1")  # fmt: skip
    text = bench("plan", *words, BENCH_PATH=str(tmp_path / "plugins")).stdout
    tuning = f"bench tune --benchmark tuned --task ner --data {source} --architectures vanilla\n"
    if draft:
        assert "3 cells, 3 to run\n" in text
        assert f"3 cells have no tuned learning rate: {tuning}" in text
        assert "To run now: about 2 minutes, one cell at a time\n" in text
        assert re.search(r"To tune: 13 trials, about \d+ minutes\n", text)
    else:
        assert "3 cells, 0 to run, 3 to tune\n" in text and "To run now" not in text
        assert re.search(
            r"To tune: 13 trials, about \d+ minutes; then the cells about 2 minutes\n", text
        )
    halved = bench("plan", *words, "--parallel", "3", BENCH_PATH=str(tmp_path / "plugins")).stdout
    assert "about 1 minute" in halved
    unknown = bench("plan", *words[:-1], "7", BENCH_PATH=str(tmp_path / "plugins")).stdout
    assert "an unknown time (no record of this machine has such a cell)" in unknown


def test_the_hours_of_a_benchmark_are_those_of_the_threads_that_ran(
    bench, tmp_path, store, benchmark
):
    def hours(**fields):
        finished_cells(store, benchmark, "synthetic", **fields)
        words = ("benchmarks", benchmark, "--json")
        content = bench(*words, BENCH_PATH=str(tmp_path / "plugins")).stdout
        return json.loads(content)["benchmarks"][benchmark]

    found = hours(threads=1)
    assert (found["threads"], found["parallel"]) == (1, num_cores())
    assert found["num_cells_of_unknown_duration"] == 0 and found["expected_seconds"] > 0
    assert found["expected_tuning_seconds"] > found["expected_seconds"]
    found = hours(threads=num_cores())
    assert (found["threads"], found["parallel"]) == (num_cores(), 1)


def test_the_trials_of_a_benchmark_are_those_of_searches_without_extensions(benchmark):
    registry = load_registry()
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


@pytest.mark.parametrize(("trivial", "is_warned"), [(0.4, False), (0.506, True)])
def test_a_search_whose_best_rate_learned_nothing_says_so(
    tmp_path, store, benchmark, trivial, is_warned
):
    """Two seeds score 0.505 and 0.506 at the best rate; a search needs more than their error."""
    path = tmp_path / "plugins" / "benchmarks" / "tuned.toml"
    path.write_text(f"{path.read_text()}\n[trivial.ner]\n64 = {trivial}\n128 = {trivial}\n")
    request = Request(
        tasks=("ner",), benchmark=benchmark, architectures=("vanilla",), lengths=(128,),
        source=corpus(tmp_path / "corpus", "Ella"),
    )  # fmt: skip
    (tuned,) = tune(request, store, learner(peak_at(3e-3)), folder=tmp_path / "tuning")
    assert tuned.learning_rate == 3e-3
    assert ("not better than a trivial predictor (0.506)" in str(tuned)) is is_warned
