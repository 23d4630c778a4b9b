"""`bench tune`, through the command line and with cells that really train."""

from __future__ import annotations

import json

import pytest

from tests.conftest import read_records

WORDS = ("tune", "--benchmark", "smoke", "--task", "distance", "--architectures", "hasty")
CELLS = ("--steps", "100", "--lengths", "8", "--parallel", "2", "--threads", "1")


def test_an_optimum_beyond_the_list_and_next_to_divergence_is_found_and_the_search_resumes(
    bench, tmp_path
):
    """Long trials have 20 steps: 0.3 walks about 3, and 1.0 so far that the loss is no number."""
    task = ("--option", "target=3.0", "--option", "limit=5.0")
    words = (*WORDS, *CELLS, *task, "--keep-in", str(tmp_path / "tuning"))
    stopped = bench(*words, "--time-limit", "50", "--stop-after", "40s")
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    assert "Each costs 1.90 to 2.50 final runs of 100 steps" in stopped.stdout
    assert "the same command continues" in stopped.stdout

    result = bench(*words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "stage 1 of 3, 7 trials of 10 steps" in result.stdout
    assert "hasty · 8 · seed 0 · learning rate 0.03: ok" in result.stdout
    assert "validation closeness" in result.stdout and "best so far" in result.stdout
    (path,) = (tmp_path / "tuning" / "distance" / "hasty").glob("*.json")
    choice = json.loads(path.read_text())
    assert choice["learning_rate"] == 0.3
    records = read_records(tmp_path / "home")
    long = {
        (record["ranking"]["learning_rate"], record["cell"]["seed"]): record["status"]
        for record in records
        if record["cell"]["steps"] == 20
    }
    assert {long[rate, seed] for rate in (0.1, 0.3) for seed in (0, 1)} == {"ok"}
    assert long[1.0, 0] == "diverged"
    assert sum(record["cell"]["steps"] for record in records) <= 250
    for record in records:
        assert not record["cell"]["scores_test"] and "test" not in record["metrics"]

    again = bench(*words)
    assert again.returncode == 0 and len(read_records(tmp_path / "home")) == len(records)
    assert json.loads(path.read_text()) == choice


@pytest.mark.parametrize(
    ("repeated", "lengths"),
    [(("--lengths", "8", "--lengths", "16"), [8, 16]), (("--lengths", "8,16"), [8, 16])],
)
def test_a_list_may_be_repeated_or_separated_by_commas(bench, repeated, lengths):
    words = ("plan", "--task", "parity", "--architectures", "hasty", "--benchmark", "smoke")
    result = bench(*words, *repeated, "--json")
    assert result.returncode == 0, result.stderr
    cells = json.loads(result.stdout)
    assert [one["cell"]["sequence_length"] for one in cells] == lengths
