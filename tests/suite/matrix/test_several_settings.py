"""Several settings of one task in a benchmark: each is a comparison and a search of its own."""

from __future__ import annotations

import pytest

from suite.api import PluginError, RequestError
from suite.execution import benchmark_data
from suite.execution.benchmark_data import DataFacts, describe_data
from suite.execution.preparation import prepare
from suite.matrix.freezing import checked_cells, freeze
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.publish.frozen import benchmark_contradiction
from suite.records.benchmarks import hash_task, read_benchmark
from suite.search.tuning import tune
from suite.search.tuning_evidence import choice_problem
from tests.builders.tunings import learner
from tests.suite.analysis.final_runs import (
    by_architecture,
    final_runs,
    write_benchmark,
)

BENCHMARK = """
name = "several"
version = 1
summary = "a test's benchmark with several settings of a task"
ranked = false
model_size = "tiny"
seeds = [0, 1]
time_limit_seconds = 60
architectures = ["identity", "lstm"]

[[tasks.associative_recall]]
lengths = [64]
evaluation_lengths = [64, 256]
steps = 20
positions_per_step = 256
options = { pairs = 4 }

[[tasks.associative_recall]]
lengths = [128, 256]
steps = 30
positions_per_step = 256
options = { pairs = 16, dropout = 0.1 }

[[tasks.state_tracking]]
lengths = [40]
steps = 20
examples_per_step = 4
options = { problem = "parity" }

[[tasks.state_tracking]]
lengths = [40]
steps = 40
examples_per_step = 4
options = { problem = "s3" }
"""
TUNING = """
[tuning]
learning_rates = [1e-3, 2e-3, 3e-3]
seeds = [0]
full_trials = true
at = { associative_recall = { length = 128, steps = 30 } }
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_PATH", str(tmp_path / "plugins"))
    return write_benchmark(tmp_path / "plugins", BENCHMARK, "several")


def planned_cells(store, **fields):
    fields = {"architectures": ("lstm",), "seeds": (0,), **fields}
    return prepare(Request(benchmark="several", **fields), store, tuning=None).plan.cells


def places(store, **fields):
    return [
        (
            dict(planned.ranking.task_options),
            planned.cell.sequence_length,
            planned.cell.steps,
            planned.of_benchmark,
        )
        for planned in planned_cells(store, **fields)
    ]


RECALL = {"pairs": 4}
RECALL_16 = {"pairs": 16, "dropout": 0.1}
S3 = {"problem": "s3"}


@pytest.mark.usefixtures("path")
def test_each_settings_has_cells_with_its_options_lengths_and_steps(store):
    assert places(store) == [
        (RECALL, 64, 20, True),
        (RECALL_16, 128, 30, True),
        (RECALL_16, 256, 30, True),
        ({}, 40, 20, True),
        (S3, 40, 40, True),
    ]
    cells = planned_cells(store)
    assert [planned.cell.evaluation_lengths for planned in cells[:2]] == [(64, 256), ()]
    assert [planned.cell.batch_size for planned in cells[:3]] == [4, 2, 1]
    assert {planned.ranking.entry for planned in cells} == {"lstm"}


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"options": {"problem": "s3"}}, [(S3, 40, 40, True)]),
        ({"options": {"problem": "parity"}}, [({}, 40, 20, True)]),
        # No settings have the value: it overrides that of all.
        (
            {"options": {"problem": "s5"}},
            [({"problem": "s5"}, 40, 20, False), ({"problem": "s5"}, 40, 40, False)],
        ),
        ({"options": {"problem": "s5"}, "steps": 7}, [({"problem": "s5"}, 40, 7, False)]),
    ],
)
def test_an_option_selects_the_settings_that_have_it(store, fields, expected):
    assert places(store, tasks=("state_tracking",), **fields) == expected


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ((64,), [(RECALL, 64, 20, True)]),
        ((64, 256), [(RECALL, 64, 20, True), (RECALL_16, 256, 30, True)]),
        ((32,), [(RECALL, 32, 20, False)]),  # 16 pairs do not fit
        (
            (32, 64),
            [(RECALL, 32, 20, False), (RECALL, 64, 20, False)],
        ),
    ],
)
def test_a_length_selects_the_settings_that_have_it(store, lengths, expected):
    cells = planned_cells(store, tasks=("associative_recall",), lengths=lengths)
    found = places(store, tasks=("associative_recall",), lengths=lengths)
    able = [one for one, planned in zip(found, cells, strict=True) if not planned.unsupported]
    assert able == expected


SECOND = "[[tasks.state_tracking]]\nlengths = [40]\nsteps = 40"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{ problem = "s3" }', '{ problem = "parity" }', "state_tracking.*length 40 twice in sev"),
        ('options = { problem = "parity" }\n', 'options = { asked = "every" }\n', None),
        ('options = { problem = "s3" }', "options = {}", "state_tracking.*length 40 twice in sev"),
        ("steps = 40", "stepz = 40", r"tasks\.state_tracking\.1\.stepz"),
        ("steps = 40", "steps = 0", r"several\.toml: tasks\.state_tracking\.1\.steps: "),
        ("steps = 40", 'steps = 40\nsource = "files:x"', "share one source, not files:x and"),
        ("steps = 40", "steps = 40\npositions_per_step = 8", "give positions_per_step or examples"),
        (
            "positions_per_step = 256\noptions = { pairs = 4 }",
            "examples_per_step = 4",
            "scores pos",
        ),
        ("steps = 30 }", "steps = 20 }", r"tuning\.at\.associative_recall: .* no such task"),
        (
            "{ length = 128, steps = 30 }",
            "[{ length = 128, steps = 30 }, { length = 256, steps = 30 }]",
            "the same settings have two points",
        ),
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_file_and_task(path, old, new, message):
    text = BENCHMARK + TUNING
    assert old in text
    path.write_text(text.replace(old, new))

    def read():
        read_benchmark(path)
        registry = load_registry((str(path.parent.parent),))
        return checked_cells(registry.benchmarks.get("several"), registry)

    if message is None:
        assert read()
        return
    with pytest.raises((PluginError, RequestError), match=message):
        read()


def test_an_option_of_any_settings_is_checked_before_anything_runs(path, store):
    path.write_text(BENCHMARK.replace('"s3"', '"s6"'))
    with pytest.raises(RequestError, match=r"'problem' must be one of .* Received: s6"):
        planned_cells(store)


def test_each_settings_has_a_search_of_its_own(tmp_path, path, store):
    path.write_text(BENCHMARK + TUNING)
    folder, seen, said = tmp_path / "tuning", [], []
    request = Request(benchmark="several")

    def score(cell):
        return 0.9 if cell.options.get("learning_rate", 2e-3) == 2e-3 else 0.5

    tuned = tune(request, store, learner(score, seen), folder=folder, report=said.append)
    assert [(one.data_text, one.entry, one.sequence_length) for one in tuned] == [
        ("pairs=4", "identity", 64),
        ("pairs=4", "lstm", 64),
        ("pairs=16", "identity", 128),
        ("pairs=16", "lstm", 128),
        ("", "identity", 40),
        ("", "lstm", 40),
        ("problem=s3", "identity", 40),
        ("problem=s3", "lstm", 40),
    ]
    assert len(seen) == 8 * 3 and {item.learning_rate for item in tuned} == {2e-3}
    assert "problem=s3" in str(tuned[-1]) and "good range" not in str(tuned[-1])
    assert len([text for text in said if "state_tracking: 2 searches" in text]) == 2
    assert any("lstm problem=s3 at 40: best so far" in text for text in said)
    assert {(one.cell.sequence_length, one.cell.steps) for one in seen} == {
        (64, 20),
        (128, 30),
        (40, 20),
        (40, 40),
    }
    prepared = prepare(request, store, tuning=folder)
    assert {one.ranking.tuning.learning_rate for one in prepared.plan.cells} == {2e-3}
    own = prepared.benchmark
    for planned in prepared.plan.cells:
        task = str(planned.cell.task)
        digest = prepared.digests[task]
        facts = planned.ranking.tuning
        assert choice_problem(planned.cell, facts, digest, prepared.tasks[task], own) is None


def test_equal_scores_of_full_trials_choose_the_rate_nearest_to_the_recipe_s(tmp_path, path, store):
    path.write_text(BENCHMARK + TUNING)
    request = Request(benchmark="several", tasks=("state_tracking",), architectures=("lstm",))
    tuned = tune(request, store, learner(lambda cell: 1.0), folder=tmp_path / "tuning")
    assert [one.learning_rate for one in tuned] == [2e-3, 2e-3]


def test_a_frozen_benchmark_has_final_runs_of_each_settings(path, store):
    freeze(read_benchmark(path))
    registry = load_registry((str(path.parent.parent),))
    benchmark = registry.benchmarks.get("several")
    assert set(benchmark.frozen) == {"1", "1.associative_recall", "1.state_tracking"}
    assert {planned.cell.benchmark for planned in planned_cells(store)} == {"several-1"}
    records = final_runs(registry, by_architecture({"lstm": 0.9}), ["lstm"], name="several")
    assert len(records) == 2 * 5
    for one in records:
        assert benchmark_contradiction(one.record, registry) is None


def test_the_hash_of_a_task_covers_all_of_its_settings():
    one = {"tasks": {"ner": [{"lengths": [64], "steps": 1}, {"lengths": [128], "steps": 1}]}}
    other = {"tasks": {"ner": [{"lengths": [64], "steps": 1}, {"lengths": [128], "steps": 2}]}}
    assert hash_task(one, "ner") != hash_task(other, "ner")


def test_data_of_one_length_in_two_settings_cannot_be_stated(path, store, monkeypatch):
    def describe(jobs):
        return [DataFacts(str(number), None) for number, _ in enumerate(jobs)]

    monkeypatch.setattr(benchmark_data, "_describe", describe)  # it would read all data
    registry = load_registry((str(path.parent.parent),))
    with pytest.raises(RequestError, match="'state_tracking' have the length 40 and other data"):
        describe_data(registry.benchmarks.get("several"), store)
