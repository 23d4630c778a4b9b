"""`bench tune`, through the command line and with cells that really train."""

from __future__ import annotations

import json

import suite
from tests.conftest import FAKES, read_records

BENCHMARK = """
name = "walk"
version = 1
summary = "a search with three rates and few steps"
model_size = "tiny"
seeds = [0]
time_limit_seconds = 60

[tasks.distance]
lengths = [8]
steps = 120
positions_per_step = 256
options = { target = 4.0, limit = 8.0 }

[tuning]
learning_rates = [3e-2, 1e-1, 3e-1]
"""
WORDS = ("tune", "--benchmark", "walk", "--architectures", "hasty", "--parallel", "2")


def test_an_optimum_at_an_edge_and_next_to_divergence_is_found_and_the_search_resumes(
    bench, tmp_path, monkeypatch
):
    """Long trials have 24 steps: 0.3 walks about 4, and 1.0 so far that the loss is no number."""
    (tmp_path / "mine" / "benchmarks").mkdir(parents=True)
    (tmp_path / "mine" / "benchmarks" / "walk.toml").write_text(BENCHMARK)

    def tune(*more):
        words = (*WORDS, "--threads", "1", "--keep-in", str(tmp_path / "tuning"), *more)
        return bench(*words, BENCH_PATH=f"{FAKES}:{tmp_path / 'mine'}")

    stopped = tune("--stop-after", "40s")
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    assert "Each costs 1.90 to 2.50 final runs of 120 steps" in stopped.stdout
    assert "the same command continues" in stopped.stdout
    assert read_records(tmp_path / "home") == []

    result = tune()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "stage 1 of 3, 3 trials of 28 steps" in result.stdout
    assert "hasty (learning_rate=0.03) · 8 · seed 0: ok" in result.stdout
    assert "validation closeness" in result.stdout and "best so far 0.3" in result.stdout
    (path,) = (tmp_path / "tuning" / "distance" / "hasty").glob("*.json")
    choice = json.loads(path.read_text())
    assert choice["learning_rate"] == 0.3
    records = read_records(tmp_path / "home")
    long = {
        (record["ranking"]["learning_rate"], record["cell"]["seed"]): record["status"]
        for record in records
        if record["cell"]["steps"] == 24
    }
    expected = {(rate, seed): "ok" for rate in (0.1, 0.3) for seed in (0, 1)}
    assert long == {**expected, (1.0, 0): "diverged"}
    assert sum(record["cell"]["steps"] for record in records) <= 2.5 * 120
    for record in records:
        assert not record["cell"]["scores_test"] and "test" not in record["metrics"]

    again = tune()
    assert again.returncode == 0 and len(read_records(tmp_path / "home")) == len(records)
    assert json.loads(path.read_text()) == choice

    monkeypatch.setenv("BENCH_PATH", f"{FAKES}:{tmp_path / 'mine'}")
    places = {"home": tmp_path / "home", "keep_in": tmp_path / "tuning"}
    quiet = {"progress": False, "tracking": False, "threads": 1}
    (rate,) = suite.tune(benchmark="walk", architectures="hasty", **places, **quiet)
    assert (rate.learning_rate, rate.path) == (0.3, path)
    assert len(read_records(tmp_path / "home")) == len(records)
