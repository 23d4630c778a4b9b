"""`bench benchmarks`: the list, the check and the freezing of benchmark files."""

from __future__ import annotations

import json

import pytest

from suite.cli import benchmarks_command
from tests.suite.matrix.test_freezing import SMALL


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
    assert "core-1" in listed.stdout and "small-1" not in listed.stdout
    assert "unusable: small: There is no task" in listed.stderr
    assert bench("benchmarks", "--check", BENCH_PATH=str(folder)).returncode == 1
    content = json.loads(bench("benchmarks", "--json", BENCH_PATH=str(folder)).stdout)
    assert "core" in content["benchmarks"] and set(content["broken"]) == {"small"}
    write(folder)
    assert bench("benchmarks", "--check", BENCH_PATH=str(folder)).returncode == 0


def test_a_file_is_checked_before_it_is_frozen(bench, folder):
    path = write(folder, "dropout", "dropuot")
    before = path.read_text()
    refused = bench("benchmarks", "--freeze", "small", BENCH_PATH=str(folder))
    assert refused.returncode == 2 and "There is no option of the task" in refused.stderr
    assert path.read_text() == before
    write(folder)
    frozen = bench("benchmarks", "--freeze", "small", BENCH_PATH=str(folder))
    assert frozen.returncode == 0 and "small-1 is frozen" in frozen.stdout, frozen.stderr


def test_a_published_version_is_neither_edited_nor_frozen_again(bench, folder, monkeypatch):
    monkeypatch.setattr(benchmarks_command, "published_hashes", lambda: {"small-1": {"0" * 16}})
    write(folder)
    checked = bench("benchmarks", "--check", BENCH_PATH=str(folder))
    assert checked.returncode == 1 and "has published runs" in checked.stderr
    assert bench("benchmarks", "--freeze", "small", BENCH_PATH=str(folder)).returncode == 2
