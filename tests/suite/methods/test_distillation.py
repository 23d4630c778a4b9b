"""Distillation: its loss, its teacher, and plain training with a weight of 0."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from suite.api import TaskData
from suite.api.errors import RequestError, Unsupported
from suite.methods import distillation
from suite.methods.distillation import METHOD, hidden_loss, soft_loss
from suite.worker.kept_models import parents_of
from tests.builders.methods import context_of
from tests.builders.trainings import job_of, plan, run

ASKED = (
    "language_modeling",
    "vanilla",
    "distillation:teacher=identity,weight=0.5,hidden_weight=0.5",
)


def softmax(values):
    return np.exp(values) / np.exp(values).sum(axis=-1, keepdims=True)


def test_soft_targets_are_those_of_hinton():
    """T² · Σ p log q over the classes, at the real positions that are scored."""
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(2, 2, 3, 4)).astype("float32")
    mask = np.array([[True, True, True], [True, True, False]])
    scored = np.array([[True, False, True], [True, True, True]])
    features = {"teacher_logits": teacher, "padding_mask": mask}

    losses = -(softmax(teacher / 3) * np.log(softmax(student / 3))).sum(axis=-1)
    found = soft_loss(ops.convert_to_tensor(student), {}, features, 3.0)
    assert float(found) == pytest.approx(9 * losses[mask].mean(), rel=1e-5)
    found = soft_loss(ops.convert_to_tensor(student), {"scored": scored}, features, 3.0)
    assert float(found) == pytest.approx(9 * losses[mask & scored].mean(), rel=1e-5)
    of_examples = {"teacher_logits": teacher[:, 0], "padding_mask": mask}
    found = soft_loss(ops.convert_to_tensor(student[:, 0]), {}, of_examples, 3.0)
    assert float(found) == pytest.approx(9 * losses[:, 0].mean(), rel=1e-5)


def test_answers_in_a_text_are_distilled_over_the_positions():
    """With weight 1, the loss is T² · Σ p log q over where an answer may start, and end."""
    generator = np.random.default_rng(0)
    teacher, other = generator.normal(size=(2, 2, 6, 2)).astype("float32")
    ids = np.array([[4, 3, 5, 6, 7, 3], [4, 3, 5, 6, 3, 0]])  # 3 ends question and context
    mask = ids > 0
    features = {"token_ids": ids, "padding_mask": mask, "teacher_logits": teacher}
    context = context_of("distillation", {"weight": 1.0}, task="question_answering")
    loss = METHOD.loss(lambda *given: 0.0, context)

    allowed = [[0, 2, 3, 4, 5], [0, 2, 3, 4]]  # the first position means no answer
    expected = [
        -4 * (p * np.log(q)).sum()
        for row, places in enumerate(allowed)
        for end in range(2)
        for p, q in [(softmax(one[row, places, end] / 2) for one in (teacher, other))]
    ]
    found = float(loss(ops.convert_to_tensor(other), {}, features))
    assert found == pytest.approx(np.mean(expected), rel=1e-5)
    assert float(loss(ops.convert_to_tensor(teacher), {}, features)) < found


def test_hidden_states_match_at_real_positions():
    mask = np.array([[True, False]])
    states = np.array([[[1.0, 2.0], [9.0, 9.0]]], "float32")
    features = {"hidden_states": states, "teacher_hidden_states": 0 * states, "padding_mask": mask}
    assert float(hidden_loss(features)) == pytest.approx((1 + 4) / 2)
    target = {**features, "target_mask": np.array([[True, True]])}
    assert float(hidden_loss(target)) == pytest.approx((1 + 4 + 81 + 81) / 4)
    with pytest.raises(Unsupported, match="hidden states of one shape"):
        hidden_loss({**features, "teacher_hidden_states": states[..., :1]})


def test_the_teacher_is_planned_without_the_students_options():
    teacher, student = plan(
        "language_modeling",
        "llama",
        "distillation",
        options={"rotary_base": "500.0", "learning_rate": "0.01"},
    )
    assert teacher.cell.architecture == "vanilla" and not teacher.cell.methods
    assert student.parents == {"teacher": teacher.cell.id} and teacher.keeps_weights
    assert "learning_rate" not in teacher.cell.options, "the rate is the student's"
    assert "rotary_base" in student.cell.options and "rotary_base" not in teacher.cell.options
    with pytest.raises(RequestError, match="no architecture"):
        plan("language_modeling", "llama", "distillation:teacher=transformer")


@pytest.mark.usefixtures("eager", "few_scored_examples")
def test_a_student_learns_from_a_teacher_of_the_same_vocabulary(tmp_path, monkeypatch):
    shapes = {}

    def watched(name, loss):
        def spy(*given):
            features = next(
                one for one in given if isinstance(one, dict) and "teacher_logits" in one
            )
            shapes[name] = features["teacher_logits"].shape, features["hidden_states"].shape
            return loss(*given)

        return spy

    for name in ("soft_loss", "hidden_loss"):
        monkeypatch.setattr(distillation, name, watched(name, getattr(distillation, name)))
    teacher, student = (job_of(one, tmp_path) for one in plan(*ASKED, steps=4))
    run(teacher)
    outcome = run(student)
    assert outcome["status"] == "ok"
    assert shapes.keys() == {"soft_loss", "hidden_loss"}
    logits, states = shapes["soft_loss"]
    assert shapes["hidden_loss"] == (logits, states)
    assert tuple(logits[:2]) == tuple(states[:2])

    data = TaskData(None, None, None, {"vocabulary_size": 7}, {})
    parents = parents_of({"teacher": teacher.weights}, (), data)
    with pytest.raises(RequestError, match="the same vocabulary"):
        parents["teacher"]()


@pytest.mark.usefixtures("eager", "few_scored_examples")
def test_a_run_that_scores_test_takes_a_teacher_that_does_not(tmp_path):
    """The teacher's spec has no texts of the test split (`sealed_spec`)."""
    asked = ("listops", "vanilla", "distillation:teacher=identity")
    teacher, student = plan(*asked, steps=2, score_test=True, lengths=(64,))
    assert student.cell.scores_test and not teacher.cell.scores_test
    for planned_cell in (teacher, student):
        outcome = run(job_of(planned_cell, tmp_path))
    assert outcome["status"] == "ok" and "test" in outcome["metrics"]
