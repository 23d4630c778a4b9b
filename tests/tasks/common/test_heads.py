"""Tests of heads: padding, and equal expectations in training and evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from suite.matrix.registry import load_registry
from tasks.common.classification import Classification
from tasks.common.heads import ExampleHead

TASKS = load_registry(()).tasks.plugins
CLASSIFIERS = [name for name, task in TASKS.items() if isinstance(task, Classification)]
WIDTH, DRAWS, LENGTH = 8, 400, 256
SPEC = {"classes": ["a", "b", "c"], "trace": False, "entity_states": False}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_zero_mean_noise_does_not_change_the_mean_score(name):
    """A maximum over positions would fail, more so for longer sequences."""
    random = np.random.default_rng(0)
    head = TASKS[name].build_head(SPEC)
    states = random.normal(size=(1, LENGTH, WIDTH)).astype("float32")
    features = {"padding_mask": np.ones((1, LENGTH), bool)}
    plain = ops.convert_to_numpy(head(states, features))
    noise = random.normal(size=(DRAWS, LENGTH, WIDTH)).astype("float32")
    masks = {"padding_mask": np.ones((DRAWS, LENGTH), bool)}
    disturbed = ops.convert_to_numpy(head(states + noise, masks))
    error = disturbed.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(disturbed.mean(axis=0) - plain) < 5 * error).all()


def test_padding_does_not_change_scores():
    head = ExampleHead(3)
    states = np.random.default_rng(0).normal(size=(2, 6, WIDTH)).astype("float32")
    mask = np.arange(6) < np.array([[6], [4]])
    scores = ops.convert_to_numpy(head(states, {"padding_mask": mask}))
    alone = head(states[1:, :4], {"padding_mask": mask[1:, :4]})
    np.testing.assert_allclose(scores[1], ops.convert_to_numpy(alone)[0], atol=1e-6)
