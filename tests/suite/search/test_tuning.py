"""Tuning: validation alone chooses, and a rate is used for exactly its own setting."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.api import DataError, Mode, PluginError, RequestError, Status
from suite.execution.preparation import check_tuned, prepare
from suite.matrix.method_sets import parse_methods
from suite.matrix.request import Request
from suite.records.benchmarks import read_benchmark
from suite.records.tuned_rates import TUNING, find_tuned_rate, tuning_path
from suite.search.tuning import tune
from tests.builders.records import REGISTRY, TRIAL
from tests.builders.tunings import BENCHMARK, benchmark, corpus, learner, peak_at, rate_of

__all__ = ["benchmark"]  # fixtures


def planned_rate(store, folder, **changes):
    """Return the tuned rate that a plan uses for vanilla, or None."""
    asked = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,), seeds=(5,))
    prepared = prepare(replace(asked, **changes), store, tuning=folder)
    (planned,) = prepared.plan.cells
    tuning = planned.ranking.tuning
    options = {**{"learning_rate": None}, **planned.cell.options}
    assert tuning is None or tuning.learning_rate == options["learning_rate"]
    return tuning and tuning.learning_rate


def test_a_tuned_rate_is_used_only_for_the_setting_it_was_tuned_for(tmp_path, store):
    folder, source = tmp_path / "tuning", corpus(tmp_path / "corpus", "Bjork")
    request = Request(tasks=("ner",), architectures=("vanilla",), source=source, lengths=(128,))
    (tuned,) = tune(request, store, learner(peak_at(3e-3)), folder=folder)
    assert (tuned.learning_rate, tuned.sequence_length) == (3e-3, 128)
    assert planned_rate(store, folder, source=source) == 3e-3
    for changes in (
        {"source": corpus(tmp_path / "other", "Ella")},
        {"source": None},
        {"lengths": (256,)},
        {"model_size": "small"},
        {"steps": 1_000},
        {"batch_size": 3},
        {"options": {"dropout": "0.45"}},
        {"precisions": ("mixed_bfloat16",)},
        {"architectures": ("bert",)},
        {"options": {"learning_rate": "0.002"}},
    ):
        assert planned_rate(store, folder, **{"source": source, **changes}) is None


def test_the_evidence_has_every_trial_and_is_in_the_facts_of_a_run(tmp_path, store):
    seen = []
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,), steps=200)
    run = learner(peak_at(3e-3), seen=seen)
    (tuned,) = tune(request, store, run, folder=tmp_path / "tuning")
    written = json.loads(tuned.path.read_text())
    assert written["setting"]["source_digest"] and written["setting"]["steps"] == 200
    tried = {(trial["steps"], trial["learning_rate"]): trial for trial in written["trials"]}
    short = [(20, rate) for rate in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)]
    assert list(tried) == [*short, *((40, rate) for rate in (1e-3, 3e-3, 1e-2))]
    assert tried[40, 3e-3]["validation"] == pytest.approx(0.5005)
    assert [run["validation"] for run in tried[40, 3e-3]["runs"]] == pytest.approx([0.5, 0.501])
    ids = {run["run_id"] for one in written["trials"] for run in one["runs"]}
    assert ids == {record.run_id for record in seen}
    asked = replace(request, seeds=(7,))
    (planned,) = prepare(asked, store, tuning=tmp_path / "tuning").plan.cells
    facts = planned.ranking
    assert facts.entry == "vanilla" and facts.learning_rate == 3e-3
    assert facts.good_range_decades == facts.tuning.good_range_decades == tuned.good_range_decades
    assert 0 < tuned.good_range_decades < 0.1
    assert facts.tuning.cost == pytest.approx(1.9) and len(facts.tuning.trials) == 10


def test_tuning_on_other_data_leaves_earlier_choices_alone(tmp_path, store):
    folder, source = tmp_path / "tuning", corpus(tmp_path / "corpus", "Bjork")
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    tune(replace(request, source=source), store, learner(peak_at(3e-3)), folder=folder)
    tune(request, store, learner(peak_at(3e-4)), folder=folder)
    assert planned_rate(store, folder, source=source) == 3e-3
    assert planned_rate(store, folder) == 3e-4


def test_each_length_is_tuned_where_it_is_supported(tmp_path, store):
    def validation(cell):
        return peak_at({16: 3e-4, 64: 1e-2}[cell.sequence_length])(cell)

    names = ("vit", "reformer", "gpt")  # gpt has no encoder
    request = Request(tasks=("image_classification",), architectures=names, lengths=(16, 64))
    tuned = tune(request, store, learner(validation), folder=tmp_path / "tuning")
    rates = {(item.architecture, item.sequence_length): item.learning_rate for item in tuned}
    expected = {16: 3e-4, 64: 1e-2}
    assert rates == {(name, at): expected[at] for name in ("vit", "reformer") for at in (16, 64)}


def test_a_task_that_no_architecture_supports_is_passed_over(tmp_path, store):
    told = []
    request = Request(tasks=("ner", "image_classification"), architectures=("vit",), lengths=(16,))
    (tuned,) = tune(request, store, learner(peak_at(3e-4)), folder=tmp_path, report=told.append)
    assert (tuned.task, tuned.learning_rate) == ("image_classification", 3e-4)
    assert told[0] == "ner: no requested architecture supports the task"


def test_no_trial_is_a_final_run_or_scores_the_test_split(tmp_path, store, benchmark):
    """Not even a trial at the recipe's rate with as many steps as the frozen benchmark has."""
    for steps in (100, 1):
        seen = []
        request = Request(
            benchmark=benchmark, tasks=("ner",), architectures=("vanilla",), steps=steps
        )
        final = prepare(replace(request, steps=None), store, tuning=None).plan.cells
        assert all(planned.cell.scores_test for planned in final)
        tune(request, store, learner(peak_at(1e-3), seen=seen), folder=tmp_path / "tuning")
        assert len(seen) >= 26
        assert not any(record.cell.scores_test or record.cell.benchmark for record in seen)
        assert not any(record.ranking.benchmark_hash for record in seen)
        assert {record.cell.seed for record in seen} == {5, 6}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[1e-4, 3e-4,", "[3e-4, 1e-4,", "increasing order"),
        ("[1e-4, 3e-4,", "[0.0, 3e-4,", "greater than 0"),
        ("seeds = [5, 6]", "seeds = [5]", "at least two seeds, or set full_trials"),
        ("seeds = [5, 6]", "seeds = [5, 5]", "each once"),
    ],
)
def test_a_malformed_section_of_tuning_is_refused(tmp_path, old, new, message):
    path = tmp_path / "tuned.toml"
    assert old in BENCHMARK
    path.write_text(BENCHMARK.replace(old, new))
    with pytest.raises(PluginError, match=message):
        read_benchmark(path)


def test_every_entry_of_the_benchmark_has_a_search_of_its_own(tmp_path, store, benchmark):
    def validation(cell):
        return peak_at(1e-2 if "window" in cell.options else 1e-3)(cell)

    folder = tmp_path / "tuning"
    names = ("vanilla", "longformer")
    request = Request(benchmark=benchmark, tasks=("ner",), architectures=names)
    tuned = tune(request, store, learner(validation), folder=folder)
    rates = {(item.entry, item.sequence_length): item.learning_rate for item in tuned}
    assert rates == {
        (entry, length): 1e-2 if "window" in entry else 1e-3
        for entry in ("vanilla", "longformer", "longformer (window=[64])")
        for length in (64, 128)
    }
    final = prepare(request, store, tuning=folder)
    check_tuned(final)
    for planned in final.plan.cells:
        assert planned.cell.benchmark == "tuned-1" and planned.cell.scores_test
        assert planned.ranking.learning_rate == rate_of(planned.cell)
        assert planned.ranking.tuning is not None
        key = planned.ranking.entry, planned.cell.sequence_length
        assert planned.ranking.learning_rate == rates[key]


def test_a_final_run_without_a_tuned_rate_is_refused_with_the_command(bench, tmp_path, benchmark):
    words = ("--benchmark", benchmark, "--task", "ner", "--architectures", "vanilla")
    result = bench("run", *words, BENCH_PATH=str(tmp_path / "plugins"))
    assert (result.returncode, result.stdout) == (2, "")
    assert "needs a learning rate that was tuned" in result.stderr
    assert "6 cells without one" in result.stderr
    assert "bench tune --benchmark tuned --task ner --data synthetic" in result.stderr
    assert not list((tmp_path / "home").glob("records/*"))
    one = ("--lengths", "64", "--seeds", "0")
    result = bench("run", *words, *one, BENCH_PATH=str(tmp_path / "plugins"))
    assert "Received: 1 cell without one" in result.stderr


def test_a_plan_that_is_not_finished_ends_the_tuning_and_the_next_one_runs_no_trial_twice(
    tmp_path, store
):
    """Deadlines and kills leave a part of a plan; the records of the others are in the home."""
    request = Request(tasks=("ner", "sentiment"), architectures=("vanilla",), lengths=(128,))
    left, ran = [5, 4, 3, 6, 100], []

    def run(prepared):
        done = list(prepared.plan.done.values())
        fresh = learner(peak_at(3e-2))(prepared)[: max(0, left[0])]
        left[0] -= len(fresh)
        for record in fresh:
            store.write(record)
        ran.extend(record.cell_id for record in fresh)
        return [*done, *fresh]

    for _ in range(4):
        results = tune(request, store, run, folder=tmp_path / "tuning")
        assert not all(item.is_complete for item in results)
        left.pop(0)
    finished = tune(request, store, run, folder=tmp_path / "tuning")
    assert [(item.task, item.learning_rate) for item in finished] == [
        ("ner", 3e-2),
        ("sentiment", 3e-2),
    ]
    assert len(ran) == len(set(ran)) == 26


def test_a_plan_that_ends_within_the_last_stage_is_left_for_a_later_run(tmp_path, store):
    request = Request(
        tasks=("ner",), architectures=("vanilla",), lengths=(128,), seeds=(0, 1, 2)
    )  # fmt: skip
    learn, stages = learner(peak_at(3e-2)), []

    def run(prepared):
        stages.append(learn(prepared))
        return stages[-1][: 1 if len(stages) == 3 else None]

    (tuned,) = tune(request, store, run, folder=tmp_path / "tuning")
    assert not tuned.is_complete and "trials are left" in str(tuned)


def test_progress_names_the_best_rate_although_another_diverged(tmp_path, store):
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    run = learner(lambda cell: None if rate_of(cell) > 1e-2 else peak_at(1e-2)(cell))
    lines = []
    tune(request, store, run, folder=tmp_path / "tuning", report=lines.append)
    best = [line for line in lines if "best so far" in line]
    assert len(best) == 3 and all("best so far 0.01 (" in line for line in best)


def test_a_trial_that_fails_ends_its_search_alone_and_can_run_again(tmp_path, store):
    request = Request(tasks=("ner",), architectures=("vanilla", "bert"), lengths=(128,))
    fails = [True]

    def run(prepared):
        records = list(prepared.plan.done.values())
        for record in learner(peak_at(3e-3))(prepared):
            if fails[0] and record.cell.architecture == "bert" and rate_of(record.cell) == 1e-2:
                record = record.model_copy(update={"status": Status.FAILED, "reason": "a defect"})
            store.write(record)
            records.append(record)
        return records

    by_name = {item.architecture: item for item in tune(request, store, run, folder=tmp_path)}
    assert by_name["vanilla"].learning_rate == 3e-3
    assert by_name["bert"].learning_rate is None and by_name["bert"].path is None
    assert "failed (a defect)" in str(by_name["bert"])
    fails[0] = False
    (again,) = tune(replace(request, architectures=("bert",)), store, run, folder=tmp_path)
    assert again.learning_rate is None
    kept = {"retry": ("failed",), "folder": tmp_path}
    (again,) = tune(replace(request, architectures=("bert",)), store, run, **kept)
    assert again.learning_rate == 3e-3


def test_a_rate_that_no_seed_survives_is_not_written(tmp_path, store):
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    run = learner(lambda cell: None)
    (tuned,) = tune(request, store, run, folder=tmp_path / "tuning")
    assert (tuned.learning_rate, tuned.path) == (None, None)
    assert min(trial.learning_rate for trial in tuned.trials) < 1e-4
    assert not (tmp_path / "tuning").exists()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"learning_rate": "fast"}', '{"learning_rate": 1e-3}', "strategy"],
)
def test_a_malformed_tuning_file_is_named(tmp_path, store, content):
    folder = tmp_path / "tuning"
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    (tuned,) = tune(request, store, learner(peak_at(3e-3)), folder=folder)
    written = tuned.path.read_bytes()
    if content == "strategy":
        whole = json.loads(written)
        content = json.dumps({**whole, "setting": {**whole["setting"], "strategy": {"seeds": 1}}})
    tuned.path.write_text(content)
    with pytest.raises(DataError, match=tuned.path.name):
        planned_rate(store, folder)
    assert planned_rate(store, folder, steps=1_000) is None  # other cells do not read the file
    tune(request, store, learner(peak_at(3e-3)), folder=folder)
    assert tuned.path.read_bytes() != content and planned_rate(store, folder) == 3e-3
    assert json.loads(written)["setting"] == json.loads(tuned.path.read_text())["setting"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": None, "mode": Mode.PROBE}, "Tuning trains"),
        ({"options": {"learning_rate": "0.1"}}, "learning_rate=0.1"),
        ({"score_test": True}, "Tuning scores validation alone"),
        ({"seeds": (3,)}, "at least two seeds"),
    ],
)
def test_tuning_refuses_other_requests(tmp_path, store, changes, message):
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    with pytest.raises(RequestError, match=message):
        tune(replace(request, **changes), store, learner(peak_at(1e-3)), folder=tmp_path)


@pytest.mark.parametrize("max_cost", [1.5, float("inf"), float("nan")])
def test_a_search_has_a_cost_that_it_can_meet(tmp_path, store, max_cost):
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    with pytest.raises(RequestError, match="costs at least"):
        tune(request, store, learner(peak_at(1e-3)), folder=tmp_path, max_cost=max_cost)


@pytest.mark.parametrize("path", sorted(TUNING.rglob("*.json")), ids=lambda path: path.parent.name)
def test_a_committed_rate_is_found_under_its_setting(path):
    content = json.loads(path.read_bytes())
    fields = dict(content["setting"])
    digest = fields.pop("source_digest")
    assert {"learning_rates", "seeds"} <= fields.pop("strategy").keys()
    fields["methods"] = parse_methods(fields.pop("methods", "").split(), REGISTRY.methods)
    cell = replace(TRIAL, task=content["task"], architecture=content["architecture"], **fields)
    assert tuning_path(cell, digest) == path
    assert find_tuned_rate(cell, digest) is not None
