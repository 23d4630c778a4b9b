"""Scores without a part of the test split."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from suite.analysis.estimates import pseudo_values
from suite.api import Examples, Metric, PluginError, Score
from suite.worker.train.evaluation import MAX_PARTS, Evaluator, scores_without_part


def score(examples, predictions, spec):
    """Score an accuracy, and F1 of the class 1, which only the whole split has."""
    targets = examples.targets["classes"]
    right = (predictions == targets)[targets == 1].sum()
    total = (targets == 1).sum() + (predictions == 1).sum()
    f1 = 2 * right / total if total else None
    return Score({"accuracy": float((predictions == targets).mean()), "f1": f1})


TASK = SimpleNamespace(score=score)


def draw(num_examples):
    random = np.random.default_rng(num_examples)
    classes = random.integers(0, 2, num_examples)
    predictions = np.where(random.random(num_examples) < 0.8, classes, 1 - classes)
    features = {"padding_mask": np.ones((num_examples, 4), bool)}
    return Examples(features, {"classes": classes}), predictions


def test_pseudo_values_of_an_accuracy_are_the_accuracies_of_the_parts():
    examples, predictions = draw(200)
    without = scores_without_part(TASK, examples, predictions, {})
    right = predictions == examples.targets["classes"]
    found = pseudo_values(right.mean(), without["accuracy"])
    assert found == pytest.approx([part.mean() for part in np.split(right, MAX_PARTS)])


def test_each_part_is_left_out_of_the_metric_of_the_whole():
    examples, predictions = draw(103)
    without = scores_without_part(TASK, examples, predictions, {})
    assert set(without) == {"accuracy", "f1"} and len(without["f1"]) == MAX_PARTS
    last = scores_without_part(TASK, examples, predictions, {})["f1"][-1]
    others = Examples({}, {"classes": examples.targets["classes"][:-5]})
    assert last == score(others, predictions[:-5], {}).metrics["f1"]


def test_a_part_holds_whole_documents():
    examples, predictions = draw(6)
    documents = {**examples.targets, "document": np.array([0, 1, 2, 0, 1, 1])}
    without = scores_without_part(TASK, Examples(examples.features, documents), predictions, {})
    right = predictions == examples.targets["classes"]
    others = [[1, 2, 4, 5], [0, 2, 3], [0, 1, 3, 4, 5]]
    assert without["accuracy"] == pytest.approx([right[rows].mean() for rows in others])


def test_few_examples_have_fewer_parts_and_one_example_has_none():
    examples, predictions = draw(3)
    assert len(scores_without_part(TASK, examples, predictions, {})["accuracy"]) == 3
    examples, predictions = draw(1)
    assert scores_without_part(TASK, examples, predictions, {}) == {}


def test_a_score_without_the_primary_metric_is_an_error_that_names_it(monkeypatch):
    task = SimpleNamespace(
        primary_metric=Metric("accuracy"), score=lambda *given: Score({"exact_match": 0.5})
    )
    setup = SimpleNamespace(task=task, data=SimpleNamespace(spec={}))
    monkeypatch.setattr(Evaluator, "predictions", lambda *given, **how: None)
    monkeypatch.setattr(Evaluator, "_examples", lambda *given: None)
    with pytest.raises(PluginError, match=r"primary metric, accuracy.*Received: exact_match"):
        Evaluator(setup, lambda batch: None).score("validation")
