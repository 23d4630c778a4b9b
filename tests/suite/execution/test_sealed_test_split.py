"""The test split is read by final runs and with `--test`, and by no other run.

`tests/suite/matrix/test_benchmarks.py` holds which settings make a final run.
"""

from __future__ import annotations

import os
from functools import partial

import pytest

from suite.matrix.freezing import freeze
from suite.records.benchmarks import read_benchmark
from tests.conftest import FAKES, read_records

BENCHMARK = """
name = "NAME"
version = 1
summary = "a test's benchmark"
ranked = false
model_size = "tiny"
seeds = [0]
time_limit_seconds = 120

[tasks.parity]
lengths = [8]
steps = 2
positions_per_step = 64
"""
TUNING = """
[tuning]
learning_rates = [1e-3, 3e-3, 1e-2]
"""
RUN = ("run", "--task", "parity", "--architectures", "hasty", "--benchmark", "final")
QUIET = ("--no-tracking", "--no-dashboard")
TRIAL = ("--steps", "1")
TUNE = ("tune", "--task", "parity", "--architectures", "hasty", "--benchmark", "search")


@pytest.fixture
def sealed_bench(bench, tmp_path):
    """Run `bench` with the frozen benchmark `final` and the draft `search`, which tunes."""
    folder = tmp_path / "plugins" / "benchmarks"
    folder.mkdir(parents=True)
    for name, more in (("final", ""), ("search", TUNING)):
        (folder / f"{name}.toml").write_text(BENCHMARK.replace("NAME", name) + more)
    freeze(read_benchmark(folder / "final.toml"), {"parity": {8: "parity"}})
    return partial(bench, BENCH_PATH=f"{folder.parent}{os.pathsep}{FAKES}")


def test_trials_and_tuning_open_no_file_of_the_test_split(sealed_bench, tmp_path):
    """A final run encodes a user's folder; then the encoded test split is made unreadable."""
    home, data = tmp_path / "home", ("--data", f"files:{tmp_path}")
    assert sealed_bench(*RUN, *QUIET, *data).returncode == 0
    (final,) = read_records(home)
    assert (final["cell"]["source"], final["cell"]["benchmark"]) == ("files", "final-1")
    assert final["metrics"]["test"]["accuracy"] > 0
    encoded = sorted((home / "cache").rglob("test.*.npy"))
    assert len(encoded) == 3
    for path in encoded:
        path.write_bytes(b"broken")

    assert sealed_bench(*RUN, *QUIET, *data, *TRIAL).returncode == 0
    kept = ("--keep-in", str(tmp_path / "tuning"), "--parallel", "2")
    tuned = sealed_bench(*TUNE, *data, *kept)
    assert tuned.returncode in (0, 1), tuned.stderr  # a rate was chosen, or none was preferred
    trials = read_records(home)[1:]
    assert {record["cell"]["options"].get("learning_rate") for record in trials} >= {None, 1e-3}
    for record in trials:
        assert record["status"] == "ok" and record["cell"]["benchmark"] is None
        assert not record["cell"]["scores_test"]
        assert set(record["metrics"]) == set(record["reports"]) == {"validation"}
    assert {path.read_bytes() for path in encoded} == {b"broken"}
    # A run that reads the test split discards the damaged entry and encodes it again.
    assert sealed_bench(*RUN, *QUIET, *data, *TRIAL, "--test").returncode == 0
    assert b"broken" not in {path.read_bytes() for path in encoded}


def test_test_scores_the_split_of_a_trial_and_marks_its_record(sealed_bench, tmp_path):
    assert sealed_bench(*RUN, *QUIET, *TRIAL, "--test").returncode == 0
    (record,) = read_records(tmp_path / "home")
    assert record["cell"]["scores_test"] and record["cell"]["benchmark"] is None
    assert record["metrics"]["test"]["accuracy"] > 0


def test_a_trial_reads_no_test_split_that_is_not_cached(sealed_bench, tmp_path):
    """The fake task raises on any read of the test split of data without a digest."""
    undigested = (*RUN, *QUIET, "--option", "digested=false")
    assert sealed_bench(*undigested).returncode == 0
    assert sealed_bench(*undigested, "--test").returncode == 1
    trial, marked = read_records(tmp_path / "home")
    assert trial["status"] == "ok" and set(trial["metrics"]) == {"validation"}
    assert "the test split was read" in marked["reason"]


def test_tuning_refuses_to_score_the_test_split(sealed_bench, tmp_path):
    refused = sealed_bench(*TUNE, "--test", "--keep-in", str(tmp_path / "tuning"))
    assert refused.returncode == 2 and "validation" in refused.stderr
    assert not read_records(tmp_path / "home")
