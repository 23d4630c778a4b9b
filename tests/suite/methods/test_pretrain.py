"""Pretraining: the parent learns from texts alone, and the child starts with its weights."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from suite.api import DataError, Examples, Limits, method_options, task_options
from suite.api.plugins import TASKS, find_plugin
from suite.methods._pretraining import PretrainingTask, read_documents
from suite.methods.pretrain import METHOD, Pretrain
from suite.worker.composition import Composition
from suite.worker.data import encoded
from suite.worker.kept_models import load_model
from tests.builders.trainings import Interrupted, job_of, plan, run

pytestmark = pytest.mark.usefixtures("eager", "few_scored_examples")


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
    assert parent.cell.options == {"compile": "graph", "dropout": 0.2}
    assert parent.recipe.learning_rate == METHOD.options["learning_rate"]
    assert [one.text for one in parent.cell.methods] == ["pretrain:only=True,share=0.2"]
    assert parent.ranking.metric == "nats_per_token"
    other = {"steps": 3, "options": {"learning_rate": "0.02", "dropout": "0.2"}}
    assert plan("sentiment", "bert", "pretrain:steps=5,share=0.2", **other)[0].cell == parent.cell


def test_files_of_documents_are_checked_when_planning_and_are_part_of_the_cell(tmp_path):
    path = tmp_path / "documents.txt"
    for content, said in ((None, "No such file"), (b"\xff\xfe", "UTF-8"), (b" \n", "not be empty")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            plan("sentiment", "bert", f"pretrain:files={path}")
    path.write_text("one text\nanother text\n")
    parent, child = plan("sentiment", "bert", f"pretrain:files={path}")
    assert not child.unsupported
    assert "files" in parent.cell.methods[0].options
    path.write_text("one text\nanother text.\n")
    changed, _ = plan("sentiment", "bert", f"pretrain:files={path}")
    assert changed.cell.id != parent.cell.id
    assert not plan("translation", "vanilla", f"pretrain:files={path}")[-1].unsupported
    for task in ("listops", "question_answering", "relation_extraction"):
        (planned,) = plan(task, "vanilla", f"pretrain:files={path}", lengths=(128,))
        assert "reads plain texts from files" in planned.unsupported


def test_a_parent_has_as_much_time_as_its_steps_need():
    limits = Limits(300, 2**30)
    parent, child = plan("sentiment", "bert", "pretrain:steps=1000", steps=50)
    assert parent.limits_from(limits) == Limits(6_000, 2**30)
    assert child.limits_from(limits) == limits
    shorter, _ = plan("sentiment", "bert", "pretrain:steps=10", steps=50)
    assert shorter.limits_from(limits) == limits


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        ("a b\nc\n", ["a b", "c"]),
        ("\na\n b\n\n \nc\n", ["a b", "c"]),
        ("\ufeffa\x85b\r\nc\x0cd\u2028e\r\n", ["a b", "c d e"]),
        ("a\rb\r", ["a", "b"]),
    ],
)
def test_documents_are_lines_or_have_blank_lines_between_them(tmp_path, content, documents):
    path = tmp_path / "documents.txt"
    path.write_bytes(content.encode())
    assert read_documents(str(path)) == documents


def test_documents_replace_the_training_texts_alone(tmp_path):
    path = tmp_path / "documents.txt"
    path.write_text("a fine film\n" * 3 + "a dull film\n")
    parent, _ = plan("sentiment", "bert", f"pretrain:files={path}", options={"units": "bytes"})
    task = find_plugin(TASKS, "sentiment")
    data = encoded.load(job_of(parent, tmp_path), task, task_options(task, parent.cell.options))
    options = method_options(METHOD, parent.cell.methods[0])
    context = SimpleNamespace(options=options, task=parent.task, cell=parent.cell)
    changed = METHOD.data(data, context)
    usual = METHOD.data(data, SimpleNamespace(options={**options, "files": ""}, task=parent.task))
    assert changed.train.num_examples == 4 and not changed.train.targets
    raw = task.encode_raw(["a fine film"], 32, data.spec)
    for name in ("token_ids", "padding_mask"):
        np.testing.assert_array_equal(changed.train.features[name][0], raw.features[name][0])
    for name, values in usual.validation.features.items():
        np.testing.assert_array_equal(changed.validation.features[name], values)
    assert changed.test is data.test
    path.write_text("another film\n")
    with pytest.raises(DataError, match="has changed since the plan"):
        METHOD.data(data, context)


def test_a_pretrained_model_is_built_with_the_example_text_of_its_task():
    task = find_plugin(TASKS, "relation_extraction")
    assert PretrainingTask(task, METHOD.options).raw_example == task.raw_example


def test_words_are_learned_and_start_the_child_with_their_embedding(tmp_path, monkeypatch):
    parent, child = plan(
        "ner", "identity", "pretrain:steps=4", steps=1, options={"validations": "1"}
    )
    outcome = run(job_of(parent, tmp_path))
    assert math.isfinite(outcome["metrics"]["validation"]["nats_per_token"])
    initialize = Pretrain.initialize

    def compared(method, model, context):
        initialize(method, model, context)
        pretrained = context.parents["pretrained"]()
        for pair in zip(model.embedding.weights, pretrained.embedding.weights, strict=True):
            np.testing.assert_array_equal(*map(ops.convert_to_numpy, pair))
        raise Interrupted

    monkeypatch.setattr(Pretrain, "initialize", compared)
    with pytest.raises(Interrupted):
        run(job_of(child, tmp_path))


def test_the_loss_of_pairs_is_that_of_the_two_added_ids_at_the_joint():
    options = {**METHOD.options, "next_sentence": True}
    objective = PretrainingTask(find_plugin(TASKS, "sentiment"), options)
    assert objective.added_token_ids == 2
    generator = np.random.default_rng(0)
    mask = np.arange(20) < np.array([[20], [7], [1]])
    ids = np.where(mask, generator.integers(4, 50, size=mask.shape), 0).astype(np.int32)
    text = {"token_ids": ids, "padding_mask": mask}
    features, targets = objective.corrupt(text, {"vocabulary_size": 50}, generator)
    assert targets["paired"].tolist() == [True, True, False]
    outputs = generator.normal(size=(3, features["masked_positions"].shape[1], 52))
    outputs = outputs.astype(np.float32)
    found = float(objective.loss(ops.convert_to_tensor(outputs), targets, features))
    log_p = ops.convert_to_numpy(ops.log_softmax(outputs[:, :-1]))
    of_tokens = np.take_along_axis(log_p, targets["ids"][:, :, None], axis=2)[:, :, 0]
    log_p = ops.convert_to_numpy(ops.log_softmax(outputs[:, -1, -2:]))
    of_pairs = log_p[np.arange(3), targets["follows"].astype(int)]
    expected = -of_tokens[targets["scored"]].mean() - of_pairs[:2].mean()
    assert found == pytest.approx(expected, rel=1e-5)
    predicted = objective.predict(ops.convert_to_tensor(outputs), targets, features)
    score = objective.score(Examples(features, targets), ops.convert_to_numpy(predicted), {})
    right = (outputs[:2, -1, -1] > outputs[:2, -1, -2]) == targets["follows"][:2]
    assert score.metrics["next_sentence_accuracy"] == right.mean()
    assert score.reports["scored_pairs"] == 2


def test_a_pretrained_model_is_kept_and_starts_its_child(tmp_path, monkeypatch):
    """The test split is sealed: the parent would fail if it read it."""
    options = {"units": "bytes", "validations": "1"}
    parent, child = plan(
        "sentiment", "vanilla", "pretrain:steps=6,next_sentence=true", options=options
    )
    job = job_of(parent, tmp_path)
    outcome = run(job)
    scores = outcome["metrics"]["validation"]
    assert set(scores) == {"nats_per_token", "accuracy", "next_sentence_accuracy"}
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
    assert tables == 1  # the token embedding has rows for the mask and the joint
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
