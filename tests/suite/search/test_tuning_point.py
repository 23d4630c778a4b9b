"""Budgets as an axis, and learning rates chosen at one point of a task for all of its others."""

from __future__ import annotations

import pytest

from suite.api import PluginError
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.benchmarks import read_benchmark
from suite.search.tuning import tune
from suite.search.tuning_evidence import choice_problem
from tests.builders.tunings import learner, peak_at, rate_of
from tests.suite.analysis.final_runs import write_benchmark

BENCHMARK = """
name = "budgets"
version = 1
summary = "a test's benchmark with several budgets and one point of tuning"
model_size = "tiny"
seeds = [0, 1]
time_limit_seconds = 60
architectures = ["identity", "longformer", "vanilla"]

[tasks.ner]
lengths = [64, 128]
steps = [100, 300]
positions_per_step = 256

[[entries]]
architecture = "identity"
steps = [100]

[[entries]]
architecture = "vanilla"
options = { positions = "rotary" }
lengths = [128]
steps = [300]

[tuning]
learning_rates = [3e-4, 1e-3, 3e-3]
seeds = [5, 6]
full_trials = true
at = { ner = { length = 128, steps = 300 } }
"""


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_PATH", str(tmp_path / "plugins"))
    return write_benchmark(tmp_path / "plugins", BENCHMARK, "budgets")


def places(prepared):
    return {
        (planned.ranking.entry, planned.cell.sequence_length, planned.cell.steps)
        for planned in prepared.plan.cells
    }


def choice_problems(prepared):
    """Return why the rate of any planned cell does not follow from its benchmark's search."""
    task, digest = prepared.tasks["ner"], prepared.digests["ner"]
    benchmark = prepared.registry.benchmarks.get("budgets")
    return {
        choice_problem(planned.cell, planned.ranking.tuning, digest, task, benchmark)
        for planned in prepared.plan.cells
    }


@pytest.mark.usefixtures("benchmark")
def test_each_number_of_steps_is_a_training_and_entries_may_have_some(store):
    prepared = prepare(Request(benchmark="budgets", tasks=("ner",)), store, tuning=None)
    everywhere = {(length, steps) for length in (64, 128) for steps in (100, 300)}
    assert places(prepared) == {
        *(("longformer", *at) for at in everywhere),
        *(("vanilla", *at) for at in everywhere),
        *(("identity", length, 100) for length in (64, 128)),
        ("vanilla (positions=rotary)", 128, 300),
    }
    assert all(planned.of_benchmark for planned in prepared.plan.cells)
    order = [planned.cell.steps for planned in prepared.plan.cells if planned.cell.seed == 0]
    assert order == sorted(order), "a budget is complete before the next begins"


@pytest.mark.usefixtures("benchmark")
def test_requested_steps_are_trials_of_every_entry(store):
    request = Request(benchmark="budgets", tasks=("ner",), steps=7)
    prepared = prepare(request, store, tuning=None)
    assert {("identity", 64, 7), ("vanilla (positions=rotary)", 128, 7)} <= places(prepared)
    assert not any(planned.of_benchmark for planned in prepared.plan.cells)


def test_a_list_of_architectures_may_leave_out_the_plain_form_of_an_entry(store, benchmark):
    listed = 'architectures = ["identity", "longformer", "vanilla"]'
    assert listed in BENCHMARK
    benchmark.write_text(BENCHMARK.replace(listed, 'architectures = ["identity", "longformer"]'))
    for architectures in (None, ("vanilla", "longformer")):
        request = Request(benchmark="budgets", tasks=("ner",), architectures=architectures)
        entries = {entry for entry, *_ in places(prepare(request, store, tuning=None))}
        assert entries - {"identity"} == {"longformer", "vanilla (positions=rotary)"}


@pytest.mark.usefixtures("benchmark")
def test_a_rate_is_chosen_at_one_point_and_used_at_all(tmp_path, store):
    folder, seen = tmp_path / "tuning", []
    request = Request(benchmark="budgets", tasks=("ner",), architectures=("longformer", "vanilla"))
    tuned = tune(request, store, learner(peak_at(1e-3), seen), folder=folder)
    assert {item.entry for item in tuned} == {
        "longformer",
        "vanilla",
        "vanilla (positions=rotary)",
    }
    assert {(record.cell.sequence_length, record.cell.steps) for record in seen} == {(128, 300)}
    assert {record.cell.batch_size for record in seen} == {2}
    assert len(seen) == 3 * (3 + 2), "three rates on a seed, and the best two on the other"
    prepared = prepare(request, store, tuning=folder)
    assert {planned.ranking.tuning.learning_rate for planned in prepared.plan.cells} == {1e-3}
    assert choice_problems(prepared) == {None}
    other = prepare(
        Request(benchmark="budgets", tasks=("ner",), architectures=("vanilla",), batch_size=3),
        store,
        tuning=folder,
    )
    assert all(planned.ranking.tuning is None for planned in other.plan.cells)


def test_a_point_may_have_rates_and_seeds_of_its_own(tmp_path, store, benchmark, bench):
    at = "length = 128, steps = 300"
    assert at in BENCHMARK
    own = f"{at}, learning_rates = [1e-3, 3e-3, 1e-2], seeds = [7]"
    unranked = "summary =", "ranked = false\nsummary ="
    benchmark.write_text(BENCHMARK.replace(at, own).replace(*unranked))
    folder, seen, texts = tmp_path / "tuning", [], []
    request = Request(benchmark="budgets", tasks=("ner",), architectures=("longformer",))
    run = learner(peak_at(1e-3), seen)
    (rate,) = tune(request, store, run, folder=folder, report=texts.append)
    assert rate.learning_rate == 1e-3
    tried = {(rate_of(record.cell), record.cell.seed) for record in seen}
    assert tried == {(each, 7) for each in (1e-3, 3e-3, 1e-2, 3e-4)}, "1e-3 is an edge of the list"
    assert "3 rates on seed 7" in texts[0]
    assert choice_problems(prepare(request, store, tuning=folder)) == {None}
    listed = bench("benchmarks", "budgets", BENCH_PATH=str(tmp_path / "plugins")).stdout
    assert "ner at length 128, 300 steps: 3 learning rates, seeds 7" in listed
    benchmark.write_text(BENCHMARK)
    (problem,) = choice_problems(prepare(request, store, tuning=folder))
    assert "its learning rate was tuned with" in problem


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length = 128, steps", "length = 256, steps", "tuning.at.ner: the benchmark has no such"),
        ("128, steps = 300 }", "128, steps = 200 }", "tuning.at.ner: the benchmark has no such"),
        ("full_trials = true", "full_trials = false", "need full_trials"),
        ("steps = [100, 300]", "steps = [300, 100]", "increasing order"),
        ("steps = [100, 300]", "steps = []", "tasks.ner.steps"),
        ("steps = [100]", "steps = [200]", "limited to steps that the benchmark does not have"),
    ],
)
def test_a_malformed_benchmark_is_refused(benchmark, old, new, message):
    assert old in BENCHMARK
    benchmark.write_text(BENCHMARK.replace(old, new))
    with pytest.raises(PluginError, match=message):
        read_benchmark(benchmark)
