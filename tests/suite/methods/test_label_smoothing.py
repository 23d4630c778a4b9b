"""Tests of label smoothing."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from suite.methods.label_smoothing import METHOD
from tests.builders.methods import REGISTRY, context_of

SHARE, CLASSES, REAL = 0.3, 5, np.array([[7], [4]])
OWN = {"sentiment": 0.1, "image_classification": 0.1, "translation": 0.1}
"""The smoothing of the tasks themselves."""
TARGETS = {
    "sentiment": "labels",
    "image_classification": "labels",
    "ner": "tags",
    "language_modeling": "next_ids",
    "translation": "next_ids",
    "duplication": "answers",
    "associative_recall": "answers",
}


def smoothed_cross_entropy(outputs, labels, smoothing):
    """Return the cross-entropy of each label, with the targets smoothed, in NumPy."""
    logits = outputs.astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    targets = (1 - smoothing) * np.eye(CLASSES)[labels] + smoothing / CLASSES
    return -(targets * log_p).sum(axis=-1)


def batch_of(task):
    """Return outputs, targets, features, and the mask of the scored positions or examples."""
    generator = np.random.default_rng(0)
    padding = np.arange(7) < REAL
    features = {"padding_mask": padding}
    scored = generator.random(padding.shape) < 0.7
    if TARGETS[task] == "labels":
        mask, shape = np.ones(2, bool), (2,)
    else:
        mask, shape = padding, padding.shape
    if task == "translation":
        mask = np.arange(7) < np.array([[3], [6]])
        features["target_mask"] = mask
    targets = {TARGETS[task]: generator.integers(CLASSES, size=shape)}
    if task in ("duplication", "associative_recall"):
        targets["scored"] = scored
        mask = mask & scored
    outputs = generator.normal(size=(*shape, CLASSES)).astype("float32")
    return outputs, targets, features, mask


@pytest.mark.parametrize("task", TARGETS)
def test_the_loss_is_that_of_smoothed_targets_where_there_is_a_target(task):
    outputs, targets, features, mask = batch_of(task)
    arguments = ops.convert_to_tensor(outputs), targets, features
    loss = METHOD.loss(
        REGISTRY.tasks.get(task).loss, context_of("label_smoothing", {"share": SHARE})
    )
    total = 1 - (1 - SHARE) * (1 - OWN.get(task, 0.0))
    expected = smoothed_cross_entropy(outputs, targets[TARGETS[task]], total)[mask].mean()
    assert float(loss(*arguments)) == pytest.approx(expected, rel=1e-5)


def test_the_traces_of_curves_are_not_smoothed():
    outputs, targets, features, _ = batch_of("sentiment")
    context = context_of("label_smoothing", {"share": 1 - 1e-9}, task="curve_tracing")
    found = METHOD.loss(lambda *given: 0.0, context)(outputs, targets, features)
    logits = outputs[:, :2].astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    assert float(found) == pytest.approx(-log_p.mean(), rel=1e-5)
