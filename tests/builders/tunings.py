"""A learner with a known best learning rate, and its benchmark."""

from __future__ import annotations

import math

import pytest

from suite.api import Status
from suite.matrix.freezing import freeze
from suite.records.benchmarks import read_benchmark
from tests.builders.records import make_record

BENCHMARK = """
name = "tuned"
version = 1
summary = "a test's benchmark with a search"
model_size = "tiny"
seeds = [0, 1, 2]
time_limit_seconds = 60

[tasks.ner]
lengths = [64, 128]
steps = 100
positions_per_step = 256

[[entries]]
architecture = "longformer"
options = { window = [64] }

[tuning]
learning_rates = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
seeds = [5, 6]
"""


def rate_of(cell):
    return cell.options.get("learning_rate", 1e-3)


def learner(validation, seen=None):
    """Return a `run` for `tune`: each cell ends at once with `validation(cell)` as its score."""

    def run(prepared):
        records = []
        for planned in prepared.plan.to_run:
            assert not planned.draws_samples, "a trial needs its validation score alone"
            metric = planned.ranking.metric
            score = validation(planned.cell)
            records.append(
                make_record(
                    Status.OK if score is not None else Status.DIVERGED,
                    cell=planned.cell,
                    ranking=planned.ranking,
                    metrics={"validation": {metric: score}} if score is not None else {},
                )
            )
        if seen is not None:
            seen.extend(records)
        return records

    return run


def peak_at(rate):
    """Score best at one learning rate, a little better with a larger seed."""

    def validation(cell):
        return 0.5 - 0.1 * abs(math.log(rate_of(cell) / rate)) + 0.001 * cell.seed

    return validation


def corpus(folder, word):
    folder.mkdir()
    for split in ("train", "valid", "test"):
        (folder / f"{split}.txt").write_text(f"{word} B-PER\nsings O\n. O\n\n" * 40)
    return f"files:{folder}"


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """The frozen benchmark `tuned` in a folder of BENCH_PATH."""
    (tmp_path / "plugins" / "benchmarks").mkdir(parents=True)
    path = tmp_path / "plugins" / "benchmarks" / "tuned.toml"
    path.write_text(BENCHMARK)
    freeze(read_benchmark(path), {"ner": {64: "f", 128: "f"}})
    monkeypatch.setenv("BENCH_PATH", str(tmp_path / "plugins"))
    return "tuned"
