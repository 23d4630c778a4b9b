"""Reformer's duplication task: Kitaev et al. 2020, section 5 and table 2.

A sequence is 0w0w; only the second w is scored. One layer, width 256, 4 heads, length 1,024,
trained with four rounds of hashing and evaluated with fewer.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import BuildRequest, Form, Inputs, ModelSize, Recipe
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.data.batches import Batch
from suite.worker.model import Model, PositionHead
from suite.worker.steps import make_optimizer, make_prediction_step, make_training_step

LENGTH, VOCABULARY, BATCH = 1_024, 128, 4
SIZE = ModelSize("paper", num_layers=1, width=256, num_heads=4, feedforward_width=1_024)
# A position and its source, 511 positions before, are in the same column.
GRID = [3, 511]
MAX_STEPS = 3_000


def draw(generator: np.random.Generator) -> Batch:
    words = generator.integers(1, VOCABULARY, size=(BATCH, LENGTH // 2 - 1))
    zero = np.zeros((BATCH, 1), int)
    token_ids = np.concatenate([zero, words, zero, words], axis=1).astype("int32")
    scored = np.zeros((BATCH, LENGTH), "float32")
    scored[:, LENGTH // 2 : -1] = 1
    return Batch(
        {"token_ids": token_ids, "padding_mask": np.ones((BATCH, LENGTH), bool)},
        {"labels": np.roll(token_ids, -1, axis=1), "scored": scored},
        BATCH * LENGTH,
        BATCH,
    )


def build(num_hashes: int) -> Model:
    architecture = find_plugin(ARCHITECTURES, "reformer")
    options = {"chunk": 64, "hashes": num_hashes, "axial_grid": GRID, "axial_stddev": None}
    request = BuildRequest(
        Form.DECODER, Inputs.TOKEN_IDS, SIZE, LENGTH, options, vocabulary_size=VOCABULARY
    )
    return Model(None, architecture.build(request), PositionHead(VOCABULARY), Form.DECODER)


def loss(outputs, targets, features):
    each = ops.sparse_categorical_crossentropy(targets["labels"], outputs, from_logits=True)
    return ops.sum(each * targets["scored"]) / ops.sum(targets["scored"])


def accuracies(model: Model, num_batches: int) -> list[float]:
    """Return the accuracy of each of several batches outside the training data."""
    predict = make_prediction_step(model, lambda outputs, *_: ops.argmax(outputs, -1), xla=False)
    generator = np.random.default_rng(99)
    found = []
    for _ in range(num_batches):
        batch = draw(generator)
        scored = batch.targets["scored"] > 0
        found.append(float((predict(batch) == batch.targets["labels"])[scored].mean()))
    return found


@pytest.mark.slow
def test_four_rounds_of_hashing_copy_and_fewer_rounds_copy_less():
    keras.utils.set_random_seed(0)
    model = build(4)
    recipe = Recipe(learning_rate=1e-3, clip_norm=1.0, warmup_share=0.08, weight_decay=0.0)
    step = make_training_step(model, loss, make_optimizer(recipe, MAX_STEPS), xla=False)
    generator = np.random.default_rng(0)
    for number in range(1, MAX_STEPS + 1):
        value = step(draw(generator))
        if number % 100 == 0 and float(value) < 1e-3:
            break
    by_hashes = {}
    for num_hashes in (1, 2, 4):
        other = build(num_hashes)
        accuracies(other, 1)
        other.set_weights(model.get_weights())
        by_hashes[num_hashes] = accuracies(other, 16)
    means = {number: np.mean(found) for number, found in by_hashes.items()}
    assert means[4] >= 0.99, means
    for fewer, more in ((1, 2), (2, 4)):
        gain = np.array(by_hashes[more]) - np.array(by_hashes[fewer])
        assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(len(gain)), means
