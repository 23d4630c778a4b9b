"""Tests of the curve tracing task: head, loss and lengths."""

from __future__ import annotations

import numpy as np
from keras import ops

from suite.api import SourceRequest
from tasks.curve_tracing.task import CLASSES, TASK


def test_the_loss_includes_traces_only_with_the_option():
    features = {"padding_mask": np.ones((3, 64), bool)}
    for trace, outputs in ((True, 2 + 64), (False, 2)):
        head = TASK.build_head({"classes": CLASSES, "trace": trace})
        states = np.ones((3, 64, 8), np.float32)
        scores = head(states, features)
        assert tuple(scores.shape) == (3, outputs)
        targets = {"labels": np.ones(3, np.int32), "trace": np.zeros((3, 64), bool)}
        losses = [
            float(TASK.loss(ops.convert_to_tensor(scores), {**targets, "trace": traces}, features))
            for traces in (targets["trace"], ~targets["trace"])
        ]
        assert (losses[0] != losses[1]) == trace
        assert tuple(TASK.predict(scores, targets, features).shape) == (3, 2)


def test_a_class_token_gives_the_label_and_positions_give_the_traces():
    head = TASK.build_head({"classes": CLASSES, "trace": True})
    random = np.random.default_rng(0)
    token, states = (random.normal(size=(3, n, 8)).astype("float32") for n in (1, 64))
    mask = {"padding_mask": np.ones((3, 1), bool)}
    scores = ops.convert_to_numpy(head(token, {**mask, "position_states": states}))
    other = ops.convert_to_numpy(head(token, {**mask, "position_states": -states}))
    assert scores.shape == (3, 2 + 64)
    np.testing.assert_array_equal(scores[:, :2], other[:, :2])
    assert (scores[:, 2:] != other[:, 2:]).all()


def test_a_position_may_be_a_single_pixel():
    options = {**TASK.options, "image_size": 64, "train_examples": 20}
    data = TASK.load(SourceRequest("synthetic"), 4_096, options)
    assert data.train.features["patches"].shape == (20, 4_096, 1)
