"""Model sizes as an axis of a benchmark: each is a model, a comparison and a search of its own."""

from __future__ import annotations

import pytest

from suite.analysis.boards import final_boards
from suite.analysis.comparison_key import short_titles
from suite.api import Mode, PluginError, RequestError
from suite.execution.preparation import prepare
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.benchmarks import read_benchmark
from suite.records.naming import cell_label
from suite.search.crossover import cost_crossover
from suite.search.tuning import tune, tuning_cells
from tests.builders.tunings import learner, peak_at
from tests.suite.analysis.final_runs import (
    benchmark_folder,
    final_runs,
    make_boards,
    write_benchmark,
)

BENCHMARK = """
name = "growing"
version = 1
summary = "a test's benchmark with two model sizes"
model_size = ["tiny", "mini"]
ranked = false
seeds = [0, 1]
time_limit_seconds = 60
architectures = ["identity", "vanilla"]
entries = [{ architecture = "identity", steps = [100] }]

[tasks.ner]
lengths = [64]
steps = [100, 300]
positions_per_step = 256

[[probes]]
form = "decoder"
lengths = [64, 128]
examples_per_step = 1
rounds = 1

[tuning]
learning_rates = [3e-4, 1e-3, 3e-3]
seeds = [5]
full_trials = true
at = { ner = { length = 64, steps = 100 } }
"""
SIZES = ("tiny", "mini")
TRAININGS = Request(benchmark="growing", tasks=("ner",))


@pytest.fixture(autouse=True)
def benchmark(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_PATH", str(tmp_path / "plugins"))
    return write_benchmark(tmp_path / "plugins", BENCHMARK, "growing")


def test_each_size_trains_all_entries_and_is_probed(store):
    cells = [one.cell for one in prepare(TRAININGS, store, tuning=None).plan.cells]
    of_seed = [cell for cell in cells if cell.seed == 0]
    assert [(cell.steps, cell.model_size, cell.architecture) for cell in of_seed] == [
        *((100, size, name) for size in SIZES for name in ("identity", "vanilla")),
        *((300, size, "vanilla") for size in SIZES),
    ], "entries vary fastest, steps slowest"
    whole = prepare(Request(mode=None, benchmark="growing"), store, tuning=None).plan.cells
    assert all(planned.of_benchmark for planned in whole)
    probes = [planned.cell for planned in whole if planned.cell.mode is Mode.PROBE]
    assert {(cell.model_size, cell.sequence_length) for cell in probes} == {
        (size, length) for size in SIZES for length in (64, 128)
    }


def test_a_request_narrows_the_sizes_or_adds_another_as_a_trial(store):
    for size, of_benchmark in (("mini", True), ("small", False)):
        request = Request(benchmark="growing", tasks=("ner",), model_size=size)
        cells = prepare(request, store, tuning=None).plan.cells
        assert {planned.cell.model_size for planned in cells} == {size}
        assert {planned.of_benchmark for planned in cells} == {of_benchmark}


def test_each_size_has_a_rate_of_its_own(tmp_path, store):
    folder, seen, said = tmp_path / "tuning", [], []
    best = {"tiny": 1e-3, "mini": 3e-4}
    runs = {size: learner(peak_at(rate), seen) for size, rate in best.items()}
    for size in SIZES:
        request = Request(
            benchmark="growing", tasks=("ner",), architectures=("vanilla",), model_size=size
        )
        found = tune(request, store, runs[size], folder=folder, report=said.append)
        assert [item.model_size for item in found] == [size]
        assert ("size mini" in str(found[0])) == (size == "mini")
    assert any(line.strip().startswith("vanilla at 64, size mini: best") for line in said)
    cells = prepare(TRAININGS, store, tuning=folder).plan.cells
    rates = {
        (planned.cell.model_size, planned.ranking.tuning.learning_rate)
        for planned in cells
        if planned.cell.architecture == "vanilla"
    }
    assert rates == set(best.items()), "at both budgets"


def test_the_search_of_all_sizes_states_them(tmp_path, store):
    said = []
    request = Request(benchmark="growing", tasks=("ner",), architectures=("vanilla",))
    found = tune(request, store, learner(peak_at(1e-3), []), folder=tmp_path, report=said.append)
    assert [item.model_size for item in found] == list(SIZES)
    assert said[0].startswith("ner: 2 searches (entries at length 64, model sizes tiny, mini). ")


def test_the_trials_of_a_benchmark_are_those_of_all_sizes(store, benchmark):
    prepared = prepare(TRAININGS, store, tuning=None)
    trials = tuning_cells(prepared.plan.cells, read_benchmark(benchmark), prepared.tasks)
    assert {cell.model_size for cell in trials} == set(SIZES)


def test_labels_of_cells_state_an_unusual_size(store):
    for planned in prepare(TRAININGS, store, tuning=None).plan.cells:
        label = cell_label(planned.cell, planned.ranking)
        assert ("size mini" in label) == (planned.cell.model_size == "mini")
        assert "tiny" not in label


def test_a_size_is_a_comparison_of_its_own_and_a_leaderboard_has_the_last(tmp_path):
    folder = benchmark_folder(tmp_path / "frozen", BENCHMARK, name="growing")
    registry = load_registry((str(folder),))
    runs = final_runs(registry, lambda planned: 0.5, ("identity", "vanilla"), "growing")
    boards = make_boards(runs)
    everything = {(size, steps) for size in SIZES for steps in (100, 300)}
    assert {(board.key.model_size, board.key.steps) for board in boards} == everything
    assert set(short_titles(board.key for board in boards).values()) == {
        f"growing-1, size {size}, {steps} steps" for size, steps in everything
    }
    own = final_boards(registry.benchmarks.get("growing"), boards, registry.tasks.plugins)
    assert [key.steps for key in own if key.length == 64] == [100, 300]
    assert {board.key.model_size for board in own.values()} == {"mini"}


def test_costs_are_compared_at_one_size(store):
    request = Request(mode=Mode.PROBE, benchmark="growing", architectures=("vanilla", "identity"))
    with pytest.raises(RequestError, match=r"one model size.*of size mini.*Give .*--model-size"):
        cost_crossover(request, store, lambda prepared: [])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ('["tiny", "tiny"]', "model_size: .*name each value once"),
        ("[]", "model_size: "),
        ("[1]", "model_size.0: "),
    ],
)
def test_malformed_sizes_are_refused(benchmark, sizes, message):
    benchmark.write_text(BENCHMARK.replace('["tiny", "mini"]', sizes))
    with pytest.raises(PluginError, match=message):
        read_benchmark(benchmark)


def test_an_unknown_size_is_refused_before_anything_runs(store, benchmark):
    benchmark.write_text(BENCHMARK.replace('"mini"]', '"huge"]'))
    with pytest.raises(RequestError, match="huge"):
        prepare(TRAININGS, store, tuning=None)
