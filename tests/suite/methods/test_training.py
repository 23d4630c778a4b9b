"""Trainings with methods: neutral options change nothing, and neither does an interruption."""

from __future__ import annotations

import pytest

from suite.methods.optimizer import PAPERS
from suite.worker.train import selection
from tests.builders.trainings import Interrupted, job_of, plan, results, run

NEUTRAL = (
    "optimizer",
    "weight_averaging:share=0",
    "label_smoothing:share=0",
    "word_dropout:share=0",
    "curriculum:share=0",
    "pruning:sparsity=0.0",
    "distillation:weight=0.0,temperature=3.0",
    "adversarial_training:epsilon=0",
)
SETS = [
    ("linear_attention", "distillation:hidden_weight=1.0"),
    ("vanilla", "adversarial_training"),
    ("vanilla", "curriculum"),
    ("vanilla", "pretrain:steps=4 lora"),
    ("vanilla", "pretrain:steps=4 adapter"),
    ("vanilla", "pretrain:steps=4 prompt"),
    ("vanilla", "label_smoothing"),
    ("vanilla", "word_dropout"),
    ("vanilla", "optimizer:name=sgd,schedule=cosine"),
    *(("vanilla", f"optimizer:name={name},schedule=constant") for name in PAPERS),
]


@pytest.mark.usefixtures("eager", "few_scored_examples")
def test_neutral_options_are_plain_training_to_the_digit(tmp_path):
    (plain,), (neutral,) = (plan("sentiment", "vanilla", *given) for given in ((), NEUTRAL))
    assert plain.cell.id != neutral.cell.id
    expected, outcome = (run(job_of(planned, tmp_path)) for planned in (plain, neutral))
    assert outcome["details"]["methods"]["pruning"] == {"zero_weight_share": 0.0}
    assert results(outcome) | {"methods": None} == results(expected)
    assert outcome["curves"]["training_loss"] == expected["curves"]["training_loss"]


@pytest.mark.slow
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


@pytest.mark.parametrize("method", ["int8", pytest.param("int4", marks=pytest.mark.slow)])
@pytest.mark.usefixtures("eager", "few_scored_examples", "frequent_checkpoints")
def test_a_compression_that_was_interrupted_starts_again(tmp_path, monkeypatch, method):
    trained, planned = plan("sentiment", "vanilla", method, steps=2)
    run(job_of(trained, tmp_path))
    job = job_of(planned, tmp_path)
    whole = run(job)

    def interrupt(*arguments):
        raise Interrupted

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr("suite.worker.train.phases.Evaluator", interrupt)
        run(job)
    resumed = run(job)
    for name in ("metrics", "reports"):
        assert resumed[name] == whole[name]
    trained, again = (outcome["variants"]["trained"]["metrics"] for outcome in (whole, resumed))
    assert again == trained
