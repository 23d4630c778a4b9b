"""`bench benchmarks`: the list, the check and the freezing of benchmark files."""

from __future__ import annotations

import json
import os

import pytest

from suite.actions import benchmarks
from suite.execution.benchmark_data import DataFacts
from suite.records.benchmarks import read_benchmark
from tests.builders.benchmarks import SMALL, UNRANKED
from tests.conftest import FAKES


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine" / "benchmarks").mkdir(parents=True)
    return tmp_path / "mine"


def write(folder, old="", new=""):
    path = folder / "benchmarks" / "small.toml"
    path.write_text(SMALL.replace(old, new))
    return path


def test_a_file_that_cannot_be_used_is_listed_beside_the_others(bench, folder):
    write(folder, "[tasks.ner]", "[tasks.nerr]")
    listed = bench("benchmarks", BENCH_PATH=str(folder))
    assert listed.returncode == 0
    assert "core-2" in listed.stdout and "small-1" not in listed.stdout
    assert "unusable: small: There is no task" in listed.stderr
    assert bench("benchmarks", "--check", BENCH_PATH=str(folder)).returncode == 1
    some = bench("benchmarks", "small", "smoke", "--json", BENCH_PATH=str(folder))
    content = json.loads(some.stdout)
    assert set(content["benchmarks"]) == {"smoke"} and set(content["broken"]) == {"small"}


def test_a_file_is_checked_before_it_is_frozen(bench, folder):
    path = write(folder, "dropout", "dropuot")
    before = path.read_text()
    refused = bench("benchmarks", "--freeze", "small", BENCH_PATH=str(folder))
    assert refused.returncode == 2 and "There is no option of the task" in refused.stderr
    assert path.read_text() == before
    write(folder, "seeds = [0]", UNRANKED)
    frozen = bench("benchmarks", "--freeze", "small", BENCH_PATH=str(folder))
    assert frozen.returncode == 0 and "small-1 is frozen" in frozen.stdout, frozen.stderr


PARITY = """
name = "small"
version = 1
summary = "a test's benchmark"
model_size = "tiny"
seeds = [0]
time_limit_seconds = 60

[tasks.parity]
lengths = [8, 16]
steps = 2
positions_per_step = 64
"""


def test_freezing_reads_the_data(bench, folder):
    """The fake task has the same raw data at all lengths."""
    path = folder / "benchmarks" / "small.toml"
    path.write_text(PARITY)
    frozen = bench("benchmarks", "--freeze", "small", BENCH_PATH=f"{folder}{os.pathsep}{FAKES}")
    assert frozen.returncode == 0, frozen.stderr
    assert read_benchmark(path).data == {"parity": {"8": "parity", "16": "parity"}}


def test_freezing_writes_the_scores_of_trivial_predictors(bench, folder, monkeypatch):
    facts = {
        "ner": {64: DataFacts("f", 0.123456789), 128: DataFacts("f", None)},
        "image_classification": {64: DataFacts("f", None)},
    }
    monkeypatch.setattr(benchmarks, "describe_data", lambda *given: facts)
    path = write(folder)
    frozen = bench("benchmarks", "--freeze", "small", BENCH_PATH=str(folder))
    assert frozen.returncode == 0, frozen.stderr
    benchmark = read_benchmark(path)
    assert benchmark.trivial == {"ner": {"64": 0.123457}}
    assert benchmark.trivial_score("ner", 64) == 0.123457
    assert benchmark.trivial_score("ner", 128) is benchmark.trivial_score("other", 64) is None


def test_a_benchmark_without_its_data_is_not_frozen(bench, folder):
    path = folder / "benchmarks" / "small.toml"
    path.write_text(PARITY.replace("parity]", 'ner]\nsource = "tfds"'))
    refused = bench("benchmarks", "--freeze", "small", BENCH_PATH=str(folder))
    assert refused.returncode == 2 and "TFDS_DATA_DIR" in refused.stderr, refused.stderr
    assert not read_benchmark(path).is_frozen


def test_a_published_version_is_neither_edited_nor_frozen_again(bench, folder, monkeypatch):
    monkeypatch.setattr(benchmarks, "published_hashes", lambda: {"small-1": {"0" * 16}})
    write(folder)
    checked = bench("benchmarks", "--check", BENCH_PATH=str(folder))
    assert checked.returncode == 1 and "has published runs" in checked.stderr
    assert bench("benchmarks", "--freeze", "small", BENCH_PATH=str(folder)).returncode == 2
