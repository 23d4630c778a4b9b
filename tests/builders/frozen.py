"""A frozen benchmark, its tuning and their records."""

from __future__ import annotations

import dataclasses

import pytest

from suite.matrix.freezing import freeze
from suite.matrix.registry import load_registry
from suite.records.benchmarks import find_benchmark
from suite.records.schema import TuningChoice
from suite.records.tuned_rates import tuning_setting
from suite.search.learning_rate_search import Trial
from suite.search.tuning_evidence import strategy_of
from tests.builders.publishing import REGISTRY
from tests.builders.records import FINAL, FINGERPRINT, TASK
from tests.conftest import FAKES

MINIATURE_DATA = {"ner": {128: FINGERPRINT, 256: FINGERPRINT}}


DATA = {"fingerprint": FINGERPRINT, "digest": "d"}


def changed(**fields):
    """Return a final run with other fields, and with the version of its architecture."""
    plugin = REGISTRY.architectures.plugins.get(fields.get("architecture", FINAL.architecture))
    versions = {"architecture_version": plugin.version} if plugin else {}
    return dataclasses.replace(FINAL, **{**versions, **fields})


TUNING = """
[tuning]
learning_rates = [3e-4, 3e-3, 3e-2]
seeds = [0, 1]
"""


def frozen_registry(tmp_path, text):
    """Return a registry in which a text is the frozen benchmark `miniature`."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "miniature.toml").write_text(text)
    freeze(find_benchmark("miniature", (str(tmp_path),)), MINIATURE_DATA)
    return load_registry((str(tmp_path),))


@pytest.fixture
def tuned(tmp_path):
    """Return a registry whose benchmark tunes, and a final run whose rate follows from trials."""
    text = (FAKES / "benchmarks" / "miniature.toml").read_text().split("[frozen]")[0]
    registry = frozen_registry(tmp_path, text.replace("steps = 1\n", "steps = 100\n") + TUNING)
    benchmark = registry.benchmarks.get("miniature")
    cell = changed(architecture="vanilla", options={"learning_rate": 3e-3}, steps=100)
    strategy = strategy_of(benchmark, TASK, cell)
    scores = {
        Trial(rate, seed, long): score - 0.01 * seed
        for rate, score in ((3e-4, 0.5), (3e-3, 0.7), (3e-2, 0.6))
        for seed, long in ((0, False), (0, True), (1, True))
    }
    assert strategy.choose(scores).learning_rate == 3e-3
    return registry, cell, evidence(cell, strategy, scores)


def evidence(cell, strategy, scores, **changes):
    """Return the choice that `bench tune` states for these scores."""
    trials = [
        {
            "learning_rate": trial.learning_rate,
            "steps": strategy.steps_of(trial),
            "runs": [
                {"run_id": f"run {i}", "seed": trial.seed, "status": "ok", "validation": score}
            ],
        }
        for i, (trial, score) in enumerate(scores.items())
    ]
    given = {
        "learning_rate": 3e-3,
        "metric": "validation entity_f1",
        "setting": {
            **tuning_setting(dataclasses.replace(cell, options={}), DATA["digest"]),
            "strategy": strategy.setting,
        },
        "good_range_decades": strategy.good_range_decades(scores),
        "cost": 1.9,
        "trials": trials,
    }
    return TuningChoice(**{**given, **changes})
