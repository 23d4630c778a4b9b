"""An interrupted training with methods gives the figures of an uninterrupted one."""

from __future__ import annotations

import pytest

from suite.worker.train import selection
from tests.suite.methods.planned_runs import Interrupted, job_of, plan, run
from tests.suite.worker.train.test_checkpoint import results

slow = pytest.mark.slow

SETS = [
    pytest.param("linear_attention", "distillation:hidden_weight=1.0", marks=slow),
    pytest.param("vanilla", "adversarial_training", marks=slow),
    pytest.param("vanilla", "curriculum", marks=slow),
    pytest.param("vanilla", "pretrain:steps=4 lora", marks=slow),
    pytest.param("vanilla", "pretrain:steps=4 adapter", marks=slow),
    pytest.param("vanilla", "pretrain:steps=4 prompt", marks=slow),
    pytest.param("vanilla", "label_smoothing", marks=slow),
    pytest.param("vanilla", "word_dropout", marks=slow),
    pytest.param("vanilla", "optimizer:name=muon", marks=slow),
    pytest.param("vanilla", "optimizer:name=sgd,schedule=cosine", marks=slow),
]


@pytest.mark.parametrize(("architecture", "methods"), SETS)
@pytest.mark.usefixtures("eager", "few_scored_examples", "frequent_checkpoints")
def test_an_interruption_changes_no_figure(tmp_path, monkeypatch, architecture, methods):
    monkeypatch.setattr(selection, "MIN_STEPS_BETWEEN_VALIDATIONS", 4)
    *parents, planned = plan("sentiment", architecture, *methods.split(), steps=16)
    for folder in ("whole", "parts"):
        for parent in parents:
            run(job_of(parent, tmp_path / folder))
    whole = run(job_of(planned, tmp_path / "whole"))
    job = job_of(planned, tmp_path / "parts")
    for stop_at in (0.3, 0.7):
        with pytest.raises(Interrupted):
            run(job, stop_at)
    resumed = run(job)
    assert len(resumed["details"]["resumed_at_steps"]) == 2
    assert results(resumed) == results(whole)
    assert resumed["details"].get("methods") == whole["details"].get("methods")


@pytest.mark.parametrize("method", ["int8", pytest.param("int4", marks=slow)])
@pytest.mark.usefixtures("eager", "few_scored_examples", "frequent_checkpoints")
def test_a_compression_that_was_interrupted_starts_again(tmp_path, monkeypatch, method):
    trained, planned = plan("sentiment", "vanilla", method, steps=8)
    run(job_of(trained, tmp_path))
    job = job_of(planned, tmp_path)
    whole = run(job)
    with monkeypatch.context() as patch:
        patch.setattr("suite.worker.train.phases.Evaluator", _Stopping)
        with pytest.raises(Interrupted):
            run(job)
    resumed = run(job)
    assert _scores(resumed) == _scores(whole)


def _scores(outcome):
    """Return the scores of a compressed model and of the model before."""
    trained = outcome["variants"]["trained"]["metrics"]
    return outcome["metrics"], outcome["reports"], trained


class _Stopping:
    """An evaluator at whose first use the process ends."""

    def __init__(self, *arguments, **keywords):
        raise Interrupted
