"""The scores that count as 0 and 100 in a benchmark file: written once, never changed."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest

from suite.analysis.core_table import scale_of
from suite.api.errors import PluginError, RequestError
from suite.matrix.freezing import add_to_scale
from suite.matrix.registry import load_registry
from suite.records.benchmarks import read_benchmark
from tests.builders.records import CELL, make_record
from tests.suite.analysis.final_runs import benchmark_folder

ZEROS = {"ner": {128: 0.0, 512: 0.0}, "sentiment": {128: 0.5}}
VANILLA = 7
HUNDREDS = {"ner": {128: (0.8123456789, VANILLA)}, "language_modeling": {64: (2.0, VANILLA)}}
TASKS = load_registry(()).tasks.plugins


@pytest.fixture
def path(tmp_path):
    return benchmark_folder(tmp_path) / "benchmarks" / "small.toml"


def test_scores_are_added_once_and_keep_the_hash_of_the_benchmark(path):
    before = read_benchmark(path)
    assert add_to_scale(before, ZEROS, {}, TASKS) == 3
    assert add_to_scale(read_benchmark(path), ZEROS, HUNDREDS, TASKS) == 1
    text = path.read_text()
    found = read_benchmark(path)
    assert found.is_frozen and found.content_hash == before.content_hash
    assert found.scale["ner"]["128"].hundred == 0.812346
    assert found.scale["ner"]["512"].hundred is None and found.scale["sentiment"]["128"].zero == 0.5
    assert "language_modeling" not in found.scale  # a reference needs a trivial score
    changed = {task: dict.fromkeys(of, 0.9) for task, of in ZEROS.items()}
    assert add_to_scale(found, changed, {"ner": {128: (0.9, VANILLA)}}, TASKS) == 0
    assert path.read_text() == text


@pytest.mark.parametrize(("old", "new"), [("zero = 0.5", "zero = 0.4"), ("512 = {", "256 = {")])
def test_an_edited_scale_is_refused(path, old, new):
    add_to_scale(read_benchmark(path), ZEROS, HUNDREDS, TASKS)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(PluginError, match="count as 0 and 100 do not have the hash"):
        read_benchmark(path)
    without = [line for line in path.read_text().splitlines() if not line.startswith('"scale" =')]
    path.write_text("\n".join(without))
    with pytest.raises(PluginError, match="count as 0 and 100 do not have the hash"):
        read_benchmark(path)


@pytest.mark.parametrize(
    ("task", "hundred"), [("sentiment", 0.5), ("sentiment", 0.4), ("language_modeling", 5.1)]
)
def test_a_reference_that_is_not_better_than_the_trivial_score_is_refused(path, task, hundred):
    length = 64 if task == "language_modeling" else 128
    zeros = {**ZEROS, "language_modeling": {64: 5.0}}
    add_to_scale(read_benchmark(path), zeros, {}, TASKS)
    before = path.read_text()
    with pytest.raises(RequestError, match="must be better than the trivial predictor"):
        add_to_scale(read_benchmark(path), {}, {task: {length: (hundred, VANILLA)}}, TASKS)
    assert path.read_text() == before


def changed_task(name="ner"):
    """Return the tasks, one of them in its next version."""
    task = copy.copy(TASKS[name])
    task.version += 1
    return {**TASKS, name: task}


def test_scores_of_another_version_are_measured_anew(path):
    add_to_scale(read_benchmark(path), ZEROS, HUNDREDS, TASKS)
    newer = {"ner": {128: (0.85, VANILLA + 1)}}
    assert add_to_scale(read_benchmark(path), ZEROS, newer, TASKS) == 1
    found = read_benchmark(path).scale["ner"]["128"]
    assert (found.hundred, found.vanilla_version) == (0.85, VANILLA + 1)
    tasks = changed_task()
    assert add_to_scale(read_benchmark(path), {"ner": {128: 0.1}}, {}, tasks) == 1
    found = read_benchmark(path).scale["ner"]["128"]
    assert (found.zero, found.hundred) == (0.1, None), "the reference is of the former version"
    assert found.task_version == tasks["ner"].version


def point(version):
    """Return a stand-in for the point of `vanilla`."""
    return SimpleNamespace(records=[make_record(cell=replace(CELL, architecture_version=version))])


def test_a_scale_holds_for_the_versions_that_it_was_measured_with(path):
    add_to_scale(read_benchmark(path), ZEROS, HUNDREDS, TASKS)
    place, benchmark = ("ner", 128), read_benchmark(path)
    assert scale_of(benchmark, place, TASKS["ner"], point(VANILLA)).hundred == 0.812346
    assert scale_of(benchmark, place, TASKS["ner"], None).hundred == 0.812346
    assert scale_of(benchmark, place, TASKS["ner"], point(VANILLA + 1)) is None
    assert scale_of(benchmark, place, changed_task()["ner"], point(VANILLA)) is None
    assert scale_of(benchmark, ("ner", 512), TASKS["ner"], None) is None, "there is no reference"
    # Another version of the benchmark in which the task changed: its scores are measured anew.
    changed = benchmark.model_copy(update={"version": 2})
    assert scale_of(changed, place, TASKS["ner"], point(VANILLA)) is None
    kept = changed.model_copy(update={"unchanged_since": {"ner": 1}})
    assert scale_of(kept, place, TASKS["ner"], point(VANILLA)).hundred == 0.812346


def test_equal_scores_of_0_and_100_give_no_scale(path):
    text = path.read_text()
    versions = f"task_version = {TASKS['ner'].version}, benchmark_version = 1, vanilla_version = 1"
    draft, *_ = text.partition("[frozen]")
    path.write_text(f"{draft}\n[scale.ner]\n128 = {{ zero = 0.5, hundred = 0.5, {versions} }}\n")
    assert scale_of(read_benchmark(path), ("ner", 128), TASKS["ner"], None) is None


def test_a_reference_states_its_version(path):
    path.write_text(path.read_text() + "\n[scale.ner]\n128 = { zero = 0.5, hundred = 0.6, "
                    "task_version = 3, benchmark_version = 1 }\n")  # fmt: skip
    with pytest.raises(PluginError, match="vanilla_version are stated together"):
        read_benchmark(path)
