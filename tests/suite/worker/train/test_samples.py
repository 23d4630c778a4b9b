"""The samples of a trained language model in the outcome of its cell."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api import Job, SourceRequest
from suite.api.plugins import TASKS, find_plugin
from suite.worker.train import cell, loop, samples
from tests.builders import trainings
from tests.builders.trainings import make_job

pytestmark = pytest.mark.usefixtures("few_scored_examples", "few_examples_at_lengths", "eager")
TASK = find_plugin(TASKS, "language_modeling")


def run(
    tmp_path, architecture, kept, *, task="language_modeling", lengths=(), draws=True, **settings
):
    job = make_job(tmp_path, task, architecture, 4, **settings)
    own = dataclasses.replace(job.cell, evaluation_lengths=lengths)
    job = Job.from_json(dataclasses.replace(job, cell=own, draws_samples=draws).to_json())
    return trainings.run(job, kept=kept)


def reports(tmp_path, architecture, **settings):
    return run(tmp_path, architecture, [], **settings)["reports"]


def test_a_sealed_cell_continues_validation_prompts_in_three_ways(tmp_path):
    """Learned positions end at the training length: a prompt with its sample stays within it."""
    found = reports(tmp_path / "first", "gpt")
    assert list(found) == ["validation"]
    shown = found["validation"]["samples"]
    assert [one["method"] for one in shown] == [*samples.METHODS, *samples.METHODS]
    data = TASK.load(SourceRequest("synthetic"), 32, TASK.options)
    validation = TASK.text(data.validation.features["token_ids"].ravel().tolist(), data.spec)
    assert sorted({len(one["prompt"]) for one in shown}) == [8, 16]
    assert all(one["prompt"] in validation for one in shown)
    assert all(0 < len(one["sample"]) <= 16 for one in shown)
    again = reports(tmp_path / "again", "gpt")
    assert again["validation"]["samples"] == shown


def test_a_trial_of_a_learning_rate_draws_no_samples(tmp_path):
    kept = []
    outcome = run(tmp_path, "identity", kept, draws=False)
    assert outcome["status"] == "ok" and outcome["metrics"]["validation"] and not kept
    assert "samples" not in outcome["reports"]["validation"]


def test_samples_are_of_the_weights_that_validation_selected(tmp_path, monkeypatch):
    weights, draw = [], cell.draw_samples

    def noted(job, task, data, model):
        weights.append([weight.tolist() for weight in model.get_weights()])
        return draw(job, task, data, model)

    def kept(training):
        run_all(training)
        weights.append([weight.tolist() for weight in training.progress.best.weights])

    run_all = loop.TrainingLoop.run
    monkeypatch.setattr(loop.TrainingLoop, "run", kept)
    monkeypatch.setattr(cell, "draw_samples", noted)
    reports(tmp_path, "gpt", score_test=True, learning_rate="0.9", validations="4")
    selected, sampled = weights
    assert sampled == selected


def test_a_task_without_prompts_has_no_samples(tmp_path):
    assert "samples" not in reports(tmp_path, "identity", task="duplication")["validation"]


def test_a_training_and_its_lengths_stand_if_sampling_takes_too_much_memory(tmp_path, monkeypatch):
    def allocate(*given):
        raise MemoryError("Unable to allocate 9 GiB")

    monkeypatch.setattr(cell, "draw_samples", allocate)
    kept = []
    outcome = run(tmp_path, "identity", kept, lengths=(64,))
    found = outcome["reports"]["validation"]
    assert "samples" not in found and found["by_evaluation_length"]["64"]["examples"] > 0
    assert outcome["status"] == "ok"
    reason = "out_of_memory: an allocation failed: Unable to allocate 9 GiB"
    assert outcome["details"]["why_no_samples"] == reason
    before = kept[-1]
    assert before["unfinished_after_training"] == () and before["metrics"] == outcome["metrics"]
    assert before["reports"]["validation"] == found


def test_another_failure_of_sampling_fails_the_cell(tmp_path, monkeypatch):
    def fail(*given):
        raise ValueError("no such token")

    monkeypatch.setattr(cell, "draw_samples", fail)
    with pytest.raises(ValueError, match="no such token"):
        reports(tmp_path, "identity")
