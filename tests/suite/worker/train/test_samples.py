"""The samples of a trained language model in the outcome of its cell."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api import SourceRequest
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.worker.train import cell, samples
from tests.suite.worker.train.test_checkpoint import few_scored_examples, make_job  # noqa: F401

pytestmark = pytest.mark.usefixtures("few_scored_examples", "eager", "brief_measurements")
TASK = find_plugin(TASKS, "language_modeling")


def reports(tmp_path, architecture, *, task="language_modeling", seed=0, **settings):
    job = make_job(tmp_path, task, architecture, 4, **settings)
    job = dataclasses.replace(job, cell=dataclasses.replace(job.cell, seed=seed))
    plugins = find_plugin(TASKS, task), find_plugin(ARCHITECTURES, architecture)
    return cell.run(job, *plugins, (), lambda *progress: None, lambda outcome: None)["reports"]


@pytest.mark.parametrize("architecture", ["gpt", "lstm"])
def test_a_sealed_cell_continues_validation_prompts_in_three_ways(tmp_path, architecture):
    """Learned positions end at the training length: a prompt with its sample stays within it."""
    found = reports(tmp_path / "first", architecture)
    assert list(found) == ["validation"]
    shown = found["validation"]["samples"]
    assert [one["method"] for one in shown] == [*samples.METHODS, *samples.METHODS]
    data = TASK.load(SourceRequest("synthetic"), 32, TASK.options)
    validation = TASK.text(data.validation.features["token_ids"].ravel().tolist(), data.spec)
    assert sorted({len(one["prompt"]) for one in shown}) == [8, 16]
    assert all(one["prompt"] in validation for one in shown)
    assert all(0 < len(one["sample"]) <= 16 for one in shown)
    again = reports(tmp_path / "again", architecture)
    assert again["validation"]["samples"] == shown


def test_samples_are_of_the_weights_that_validation_selected(tmp_path, monkeypatch):
    weights, draw = [], cell.draw_samples

    def noted(job, task, data, model):
        weights.append([weight.tolist() for weight in model.get_weights()])
        return draw(job, task, data, model)

    def kept(loop):
        set_best(loop)
        weights.append([weight.tolist() for weight in loop.progress.best.weights])

    set_best = cell.TrainingLoop._set_best_weights
    monkeypatch.setattr(cell.TrainingLoop, "_set_best_weights", kept)
    monkeypatch.setattr(cell, "draw_samples", noted)
    reports(tmp_path, "gpt", score_test=True, learning_rate="0.9", validations="4")
    selected, sampled = weights
    assert sampled == selected


def test_a_task_without_prompts_has_no_samples(tmp_path):
    assert "samples" not in reports(tmp_path, "gpt", task="duplication")["validation"]
