"""The test split is read by final runs and with `--test`, and by no other run.

`tests/suite/matrix/test_benchmarks.py` holds which settings make a final run.
"""

from __future__ import annotations

from tests.conftest import read_records

FINAL = ("--task", "parity", "--benchmark", "smoke", "--architectures", "hasty")
TRIAL = ("--steps", "2")
RUN = ("run", *FINAL, "--no-tracking", "--no-dashboard")


def test_trials_and_tuning_open_no_file_of_the_test_split(bench, tmp_path):
    """A final run encodes a user's folder; then the encoded test split is made unreadable."""
    home, data = tmp_path / "home", ("--data", f"files:{tmp_path}")
    assert bench(*RUN, *data).returncode == 0
    (final,) = read_records(home)
    assert (final["cell"]["source"], final["cell"]["benchmark"]) == ("files", "smoke-1")
    assert final["metrics"]["test"]["accuracy"] > 0
    encoded = sorted((home / "cache").rglob("test.*.npy"))
    assert len(encoded) == 3
    for path in encoded:
        path.write_bytes(b"broken")

    assert bench(*RUN, *data, *TRIAL).returncode == 0
    kept = ("--keep-in", str(tmp_path / "tuning"), "--parallel", "2")
    tuned = bench("tune", *FINAL, *data, *TRIAL, *kept)
    assert tuned.returncode == 0, tuned.stderr
    trials = read_records(home)[1:]
    assert len(trials) >= 4
    for record in trials:
        assert record["status"] == "ok" and record["cell"]["benchmark"] is None
        assert not record["cell"]["scores_test"]
        assert set(record["metrics"]) == set(record["reports"]) == {"validation"}
    # The files are indeed unreadable.
    assert bench(*RUN, *data, *TRIAL, "--test").returncode == 1


def test_test_scores_the_split_of_a_trial_and_marks_its_record(bench, tmp_path):
    assert bench(*RUN, *TRIAL, "--test").returncode == 0
    (record,) = read_records(tmp_path / "home")
    assert record["cell"]["scores_test"] and record["cell"]["benchmark"] is None
    assert record["metrics"]["test"]["accuracy"] > 0


def test_a_trial_reads_no_test_split_that_is_not_cached(bench, tmp_path):
    """The fake task raises on any read of the test split of data without a digest."""
    undigested = (*RUN, *TRIAL, "--option", "digested=false")
    assert bench(*undigested).returncode == 0
    assert bench(*undigested, "--test").returncode == 1
    trial, marked = read_records(tmp_path / "home")
    assert trial["status"] == "ok" and set(trial["metrics"]) == {"validation"}
    assert "the test split was read" in marked["reason"]


def test_tuning_refuses_to_score_the_test_split(bench, tmp_path):
    refused = bench("tune", *FINAL, *TRIAL, "--test", "--keep-in", str(tmp_path / "tuning"))
    assert refused.returncode == 2 and "validation" in refused.stderr
    assert not read_records(tmp_path / "home")
