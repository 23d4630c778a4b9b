"""A record of a benchmark is one of the cells of the frozen file, with the facts of its cell."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api import Form, Mode, Status
from suite.matrix.planned_cells import ranking_facts
from suite.matrix.registry import load_registry
from suite.publish.frozen import benchmark_contradiction
from suite.records.benchmarks import find_benchmark
from suite.records.tuned_rates import Tuned
from suite.search.tuning_evidence import file_problem, strategy_of
from tests.builders.frozen import DATA, changed, evidence, frozen_registry, tuned
from tests.builders.learning_rate_searches import peak_at, search
from tests.builders.publishing import REGISTRY
from tests.builders.records import FINAL, TASK, TRIAL, make_record
from tests.conftest import FAKES

__all__ = ["tuned"]  # a fixture


def contradiction(cell=FINAL, registry=REGISTRY, **facts):
    record = make_record(cell=cell)
    ranking = record.ranking.model_copy(update=facts)
    return benchmark_contradiction(record.model_copy(update={"ranking": ranking}), registry)


def test_a_record_of_the_frozen_benchmark_and_one_of_none_are_accepted():
    assert contradiction() is None
    assert contradiction(changed(options={}, architecture="vanilla")) is None
    assert contradiction(changed(options={}, seed=2)) is None
    assert contradiction(changed(source="files", threads=7)) is None, "the data is the user's"
    assert contradiction(TRIAL) is None


@pytest.mark.parametrize(
    ("cell", "facts", "reason"),
    [
        (FINAL, {"benchmark_hash": "0" * 16}, "miniature-1 is frozen with the hash"),
        (FINAL, {"benchmark_hash": None}, "no hash of its benchmark"),
        (changed(benchmark="miniature-2"), {}, "miniature-2 is not frozen"),
        (changed(benchmark="core-0"), {}, "core-0 is not frozen"),
        (changed(benchmark="nothing-1"), {}, "nothing-1 cannot be checked: There is no benchmark"),
        (TRIAL, {"benchmark_hash": "0" * 16}, "names none"),
        (changed(task_version=0), {}, "its task_version 0 is not that of the benchmark"),
        (changed(architecture_version=0), {}, "its architecture_version 0 is not that of"),
        (dataclasses.replace(TRIAL, scores_test=True), {"ranked": True}, "it claims a rank, but"),
        (changed(seed=10), {}, "its seed 10 is not that of the benchmark miniature-1"),
        (changed(sequence_length=512), {}, "its sequence_length 512"),
        (changed(steps=2), {}, "its steps 2"),
        (changed(batch_size=8), {}, "its batch_size 8"),
        (changed(model_size="base"), {}, "its model_size base"),
        (changed(precision="mixed_bfloat16"), {}, "its precision mixed_bfloat16"),
        (changed(form=Form.DECODER), {}, "its form decoder"),
        (changed(scores_test=False), {}, "its scores_test False"),
        (changed(task="sentiment"), {}, "There is no task of the benchmark 'miniature'"),
        (changed(architecture="secret"), {}, "of that name. Received: 'secret'"),
        (changed(source="tfd"), {}, "its source tfd is none of the task ner"),
        (changed(options={"dropout": 0.4}), {}, "its option dropout=0.4"),
        (changed(options={"learning_rate": 3e-3}), {}, "its option learning_rate=0.003"),
        (changed(architecture="vanilla"), {}, "its option window=[64]"),
        (changed(mode=Mode.PROBE, task=None), {}, "The benchmark 'miniature' has no probes"),
        (FINAL, {"higher_is_better": False}, "its ranking fact higher_is_better is False, but"),
        (FINAL, {"metric": "token_accuracy"}, "its ranking fact metric is 'token_accuracy'"),
        (FINAL, {"entry": "longformer"}, "its ranking fact entry is 'longformer'"),
        (FINAL, {"track": "open"}, "its ranking fact track is 'open'"),
        (FINAL, {"learning_rate": 0.5}, "its ranking fact learning_rate is 0.5"),
    ],
)  # fmt: skip
def test_a_record_of_another_benchmark_or_with_other_settings_is_refused(cell, facts, reason):
    assert reason in contradiction(cell, **facts)


def test_other_data_of_the_benchmark_s_source_is_refused():
    """A user's own files are final runs too, and never on the leaderboard."""
    record = make_record(cell=FINAL, data={"fingerprint": "another"})
    assert "its data has the fingerprint another, but that of the benchmark" in (
        benchmark_contradiction(record, REGISTRY)
    )
    own = make_record(cell=changed(source="files"), data={"fingerprint": "another"})
    assert benchmark_contradiction(own, REGISTRY) is None
    failed = make_record(Status.OUT_OF_MEMORY, cell=FINAL)
    assert benchmark_contradiction(failed, REGISTRY) is None, "it never read its data"


def test_an_omitted_option_of_the_benchmark_is_noticed(tmp_path):
    """The options of a cell leave out defaults, so that a missing one is another setting."""
    text = (FAKES / "benchmarks" / "miniature.toml").read_text().split("[frozen]")[0]
    text = text.replace("steps = 1\n", "steps = 1\noptions = { dropout = 0.4 }\n")
    registry = frozen_registry(tmp_path, text)
    benchmark = registry.benchmarks.get("miniature")
    with_option, without = (
        changed(architecture="vanilla", options=options) for options in ({"dropout": 0.4}, {})
    )
    facts = {
        "benchmark_hash": benchmark.content_hash,
        "entry": "vanilla",
        "task_options": {"dropout": 0.4},
    }
    assert contradiction(with_option, registry, **facts) is None
    assert "its option dropout=default" in contradiction(without, registry, **facts)


def test_a_record_of_an_unranked_benchmark_cannot_claim_a_rank(tmp_path):
    text = (FAKES / "benchmarks" / "miniature.toml").read_text().split("[frozen]")[0]
    registry = frozen_registry(tmp_path, text.replace("ranked = true", "ranked = false"))
    facts = {"benchmark_hash": registry.benchmarks.get("miniature").content_hash}
    assert contradiction(registry=registry, **facts, ranked=False, seeds=()) is None
    assert "ranking fact ranked is True" in contradiction(registry=registry, **facts, ranked=True)


def test_the_hash_of_an_earlier_version_stays_in_the_file(tmp_path):
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    text = (FAKES / "benchmarks" / "miniature.toml").read_text()
    (folder / "miniature.toml").write_text(
        text.replace("version = 1", "version = 2").replace("steps = 1\n", "steps = 5\n")
    )
    assert not find_benchmark("miniature", (str(tmp_path),)).is_frozen
    problem = contradiction(registry=load_registry((str(tmp_path),)))
    assert problem == "its benchmark miniature-1 is not the current miniature-2: run the cell again"
    (folder / "miniature.toml").write_text(text.replace("steps = 1\n", "steps = 5\n"))
    problem = contradiction(registry=load_registry((str(tmp_path),)))
    assert "a changed benchmark needs a new version" in problem


def tuned_contradiction(registry, cell, choice):
    facts = ranking_facts(cell, TASK, choice, registry.benchmarks.get("miniature"))
    return benchmark_contradiction(make_record(cell=cell, data=DATA, ranking=facts), registry)


def test_a_tuned_rate_follows_from_its_trials(tuned):
    assert tuned_contradiction(*tuned) is None


def test_a_rate_of_a_search_that_was_let_cost_more_is_accepted(tuned):
    registry, cell, _ = tuned
    strategy = strategy_of(registry.benchmarks.get("miniature"), TASK, cell)
    more = dataclasses.replace(strategy, max_cost=4.0)
    scores, _ = search(lambda trial: peak_at(1.0 if trial.long else 3e-3)(trial), more)
    rate, cost = more.choose(scores).learning_rate, more.cost(scores)
    assert rate == 1.0 and strategy.most_cost < cost <= more.most_cost
    cell = dataclasses.replace(cell, options={"learning_rate": rate})
    choice = evidence(cell, more, scores, learning_rate=rate, cost=cost)
    assert tuned_contradiction(registry, cell, choice) is None


def test_an_edited_tuning_file_is_noticed(tuned):
    _, _, choice = tuned
    assert file_problem(Tuned("ner", "vanilla", choice), TASK) is None
    edited = choice.model_copy(update={"learning_rate": 3e-2})
    reason = "its learning rate 0.03 does not follow from its trials: choose 0.003"
    assert file_problem(Tuned("ner", "vanilla", edited), TASK) == reason


def test_a_final_run_needs_a_tuned_rate_unless_its_cell_is_unsupported(tuned):
    registry, cell, _ = tuned
    untuned = dataclasses.replace(cell, options={})
    assert tuned_contradiction(registry, untuned, None) == "its learning rate was not tuned"
    facts = ranking_facts(untuned, TASK, None, registry.benchmarks.get("miniature"))
    record = make_record(cell=untuned, data=None, ranking=facts, status="unsupported")
    assert benchmark_contradiction(record, registry) is None


def with_run(choice, index, **changes):
    """Return a choice with another run in one of its trials."""
    trials = [dict(trial) for trial in choice.trials]
    trials[index]["runs"] = [{**trials[index]["runs"][0], **changes}]
    return choice.model_copy(update={"trials": tuple(trials)})


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda one: one.model_copy(update={"learning_rate": 3e-2}), "its option learning_rate"),
        (lambda one: with_run(with_run(one, 4, validation=0.1), 5, validation=0.1),
         "its search lacks the trial at the learning rate 0.1"),
        (lambda one: one.model_copy(update={"trials": (*one.trials, {
            "learning_rate": 2e-3, "steps": 20, "runs": [
                {"seed": 0, "status": "ok", "validation": 0.9}]})}),
         "its search would not take the trial at the learning rate 0.002, seed 0 and 20 steps"),
        (lambda one: one.model_copy(update={"good_range_decades": 3.0}), "its range of good rates"),
        (lambda one: one.model_copy(update={"trials": one.trials[1:]}),
         "its search lacks the trial at the learning rate 0.0003, seed 0 and 23 steps"),
        (lambda one: one.model_copy(update={"trials": ()}), "its search lacks the trial"),
        (lambda one: with_run(one, 8, seed=2),
         "its search lacks the trial at the learning rate 0.03, seed 1 and 20 steps"),
        (lambda one: one.model_copy(update={"setting": {**one.setting, "steps": 99}}),
         "its learning rate was tuned for steps 99"),
        (lambda one: one.model_copy(update={"setting": {**one.setting, "source_digest": "e"}}),
         "its learning rate was tuned for source_digest e"),
        (lambda one: one.model_copy(update={"setting": {**one.setting, "backend": "jax"}}),
         "its learning rate was tuned for backend jax"),
        (lambda one: one.model_copy(update={"setting": {**one.setting, "strategy": {}}}),
         "its learning rate was tuned with {}, not with {'learning_rates'"),
    ],
)  # fmt: skip
def test_a_rate_that_does_not_follow_from_its_trials_is_refused(tuned, edit, reason):
    registry, cell, choice = tuned
    assert reason in tuned_contradiction(registry, cell, edit(choice))
