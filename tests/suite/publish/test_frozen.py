"""A record of a benchmark has the hash and the settings of the frozen file."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api import Mode
from suite.matrix.benchmarks import find_benchmark
from suite.publish.frozen import benchmark_contradiction
from suite.records.schema import TuningChoice
from suite.records.store import Store
from tests.conftest import FAKES
from tests.suite.publish.test_publishing import GOOD, SEARCH_PATH, publish_here
from tests.suite.records.test_store import FINAL, TRIAL, make_record

RATE = TuningChoice(learning_rate=3e-3, metric="validation entity_f1", setting={})


def contradiction(cell=FINAL, search_path=SEARCH_PATH, **facts):
    record = make_record(cell=cell)
    ranking = record.ranking.model_copy(update=facts)
    return benchmark_contradiction(record.model_copy(update={"ranking": ranking}), search_path)


def changed(**fields):
    return dataclasses.replace(FINAL, **fields)


def test_a_record_of_the_frozen_benchmark_and_one_of_none_are_accepted():
    assert contradiction() is None
    assert contradiction(changed(options={}, architecture="vanilla", seed=9)) is None
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
        (changed(seed=10), {}, "its seed 10 is not that of the benchmark miniature-1"),
        (changed(sequence_length=512), {}, "its length 512"),
        (changed(steps=2), {}, "its steps 2"),
        (changed(batch_size=8), {}, "its batch 8"),
        (changed(model_size="base"), {}, "its model_size base"),
        (changed(precision="mixed_bfloat16"), {}, "its precision mixed_bfloat16"),
        (changed(task="sentiment"), {}, "its task sentiment"),
        (changed(options={"dropout": 0.4}), {}, "its option dropout=0.4"),
        (changed(options={"learning_rate": 3e-3}), {}, "its option learning_rate=0.003"),
        (changed(architecture="vanilla"), {}, "its option window=64"),
        (changed(mode=Mode.PROBE, task=None), {}, "its probe of length 128"),
    ],
)  # fmt: skip
def test_a_record_of_another_benchmark_or_with_other_settings_is_refused(
    store, tmp_path, cell, facts, reason
):
    assert reason in contradiction(cell, **facts)
    scores = {"test" if cell.scores_test else "validation": {"entity_f1": 0.5}}
    record = make_record(**{**GOOD, "cell": cell, "metrics": scores})
    ranking = record.ranking.model_copy(update=facts)
    store.write(record.model_copy(update={"ranking": ranking}))
    outcome = publish_here(store, into=tmp_path / "published")
    ((_, told),) = outcome.refused
    assert not outcome.written and reason in told


def test_a_tuned_learning_rate_is_no_option_of_the_benchmark():
    tuned = changed(architecture="vanilla", options={"learning_rate": 3e-3})
    assert contradiction(tuned, tuning=RATE) is None


def test_the_hash_of_an_earlier_version_stays_in_the_file(tmp_path):
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    text = (FAKES / "benchmarks" / "miniature.toml").read_text()
    (folder / "miniature.toml").write_text(
        text.replace("version = 1", "version = 2").replace("steps = 1\n", "steps = 5\n")
    )
    assert not find_benchmark("miniature", (str(tmp_path),)).is_frozen
    assert contradiction(search_path=(str(tmp_path),)) is None
    (folder / "miniature.toml").write_text(text.replace("steps = 1\n", "steps = 5\n"))
    assert "a changed benchmark needs a new version" in contradiction(search_path=(str(tmp_path),))


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "home")
    store.prepare()
    return store
