"""Pretraining: the parent learns from texts alone, and the child starts with its weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from keras import ops

from suite.api import Examples, task_options
from suite.api.errors import RequestError
from suite.api.plugins import TASKS, find_plugin
from suite.matrix.methods import parse_methods
from suite.matrix.registry import load_registry
from suite.methods._pretraining import PretrainingTask
from suite.methods.pretrain import METHOD
from suite.worker.data import encoded
from suite.worker.methods import Composition, load_model
from tests.suite.methods.jobs import plan
from tests.suite.methods.planned_runs import job_of, run

pytestmark = pytest.mark.usefixtures("eager", "brief_measurements", "few_scored_examples")


def test_the_parent_trains_on_all_texts_with_its_own_steps_and_rate():
    parent, child = plan(
        "sentiment",
        "bert",
        "pretrain:steps=5,share=0.2",
        "label_smoothing",
        options={"learning_rate": "0.01", "dropout": "0.2"},
        score_test=True,
    )
    assert parent.keeps_weights
    assert not parent.cell.scores_test
    assert child.parents == {"pretrained": parent.cell.id}
    assert (parent.cell.steps, child.cell.steps) == (5, 8)
    assert parent.cell.options == {"dropout": 0.2}
    assert parent.recipe.learning_rate == METHOD.options["learning_rate"]
    assert [one.text for one in parent.cell.methods] == ["pretrain:only=True,share=0.2"]
    assert parent.ranking.metric == "nats_per_token"
    other = {"steps": 3, "options": {"learning_rate": "0.02", "dropout": "0.2"}}
    assert plan("sentiment", "bert", "pretrain:steps=5,share=0.2", **other)[0].cell == parent.cell


@pytest.mark.parametrize(
    ("task", "architecture", "method", "settings", "reason"),
    [
        ("ner", "bert", "pretrain", {}, "received: embeddings"),
        ("sentiment", "bert", "pretrain:only=true", {"score_test": True}, "Leave out --test"),
    ],
)
def test_what_cannot_be_pretrained_is_unsupported(task, architecture, method, settings, reason):
    planned = plan(task, architecture, method, **settings)[-1]
    assert reason in planned.unsupported


@pytest.mark.parametrize("text", ["steps=0", "share=1.0", "span=0.5", "corruption=x"])
def test_values_out_of_range_are_refused(text):
    with pytest.raises(RequestError, match=text.partition("=")[0]):
        parse_methods([f"pretrain:{text}"], load_registry(()).methods)


def test_a_pretrained_model_is_kept_and_starts_its_child(tmp_path, monkeypatch):
    """The test split is sealed: the parent would fail if it read it."""
    options = {"compile": "graph", "units": "bytes", "validations": "1"}
    parent, child = plan("sentiment", "vanilla", "pretrain:steps=6", options=options)
    job = job_of(parent, tmp_path)
    outcome = run(job)
    scores = outcome["metrics"]["validation"]
    assert set(scores) == {"nats_per_token", "accuracy"}
    assert outcome["details"]["training_steps"] == 6
    first, *_, last = outcome["curves"]["training_loss"]["values"]
    assert math.isfinite(last) and last < first
    starts, compose = [], Composition.model

    def model(self, *given, **named):
        built = compose(self, *given, **named)
        if named.get("initializes"):
            starts.append([ops.convert_to_numpy(weight) for weight in built.backbone.weights])
        return built

    monkeypatch.setattr(Composition, "model", model)
    made = run(job_of(child, tmp_path))
    assert set(made["metrics"]["validation"]) >= {"accuracy", "f1"}
    task = find_plugin(TASKS, "sentiment")
    data = encoded.load(job, task, task_options(task, child.cell.options))
    kept = load_model(job.weights, (), data)
    tables = 0
    for weight, pretrained in zip(starts[-1], kept.backbone.weights, strict=True):
        values = ops.convert_to_numpy(pretrained)
        tables += values.shape != weight.shape
        np.testing.assert_array_equal(weight, values[: len(weight)] if weight.ndim else values)
    assert tables == 1  # the token embedding has a row for the mask
    assert made["parameter_counts"]["mixing"] == outcome["parameter_counts"]["mixing"]


@pytest.mark.parametrize(
    ("task", "options", "added"),
    [
        ("sentiment", {}, 1),
        ("language_modeling", {}, 0),
        ("translation", {}, 100),
        ("translation", {"corruption": "infilling"}, 1),
    ],
)
def test_the_loss_is_that_of_the_hidden_tokens_alone(task, options, added):
    objective = PretrainingTask(find_plugin(TASKS, task), {**METHOD.options, **options})
    assert objective.added_token_ids == added
    generator = np.random.default_rng(0)
    mask = np.arange(20) < np.array([[20], [7]])
    text = {
        "token_ids": generator.integers(4, 50, size=mask.shape).astype(np.int32),
        "padding_mask": mask,
        "target_ids": None,  # not read
    }
    features, targets = objective.corrupt(text, {"vocabulary_size": 50}, generator)
    assert features.get("target_ids", 0) is not None
    shape = (*targets["ids"].shape, 50 + added)
    outputs = generator.normal(size=shape).astype(np.float32)
    changed = np.where(targets["scored"][:, :, None], outputs, 0.0)

    def loss(outputs):
        return float(objective.loss(ops.convert_to_tensor(outputs), targets, features))

    log_p = ops.convert_to_numpy(ops.log_softmax(outputs))
    of_targets = np.take_along_axis(log_p, targets["ids"][:, :, None], axis=2)[:, :, 0]
    expected = -of_targets[targets["scored"]].mean()
    assert loss(outputs) == pytest.approx(expected, rel=1e-5)
    assert loss(changed) == loss(outputs)
    found = objective.predict(ops.convert_to_tensor(outputs), targets, features)
    score = objective.score(Examples(features, targets), ops.convert_to_numpy(found), {})
    assert score.metrics["nats_per_token"] == pytest.approx(expected, rel=1e-5)
    assert score.reports["scored_tokens"] == targets["scored"].sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "method"),
    [
        ("language_modeling", "pretrain:steps=4"),
        ("translation", "pretrain:steps=4"),
        ("translation", "pretrain:steps=4,corruption=infilling"),
    ],
)
def test_every_form_is_pretrained(tmp_path, task, method):
    parent, child = plan(task, "vanilla", method)
    job = job_of(parent, tmp_path)
    assert math.isfinite(run(job)["metrics"]["validation"]["nats_per_token"])
    made = run(job_of(child, tmp_path))
    assert made["details"]["training_steps"] == 8
