"""Adversarial training: what an update minimizes, and that neutral options change nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import PERTURBATION, Form
from suite.methods.adversarial_training import METHOD
from suite.worker.composition import Composition
from suite.worker.data.batches import Batch
from suite.worker.model import Model
from suite.worker.perturbation import perturbed
from suite.worker.steps import make_gradient_step, make_training_step
from tests.builders.methods import context_of
from tests.builders.trainings import run_planned, score_few

EPSILON = 0.2


class Backbone(keras.layers.Layer):
    """Embeds tokens, and mixes nothing."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.tokens = keras.layers.Embedding(11, 6)
        self.drop = keras.layers.Dropout(dropout)

    def embed(self, token_ids):
        return self.tokens(token_ids)

    def encode(self, inputs, padding_mask=None, global_mask=None, training=None):
        embedded = self.tokens(inputs) if len(inputs.shape) == 2 else inputs
        return self.drop(embedded, training=training), None


class Head(keras.layers.Dense):
    def call(self, hidden_states, features=None):
        return super().call(hidden_states)


def loss(outputs, targets, features):
    losses = ops.sparse_categorical_crossentropy(targets["tags"], outputs, from_logits=True)
    return ops.mean(losses)


def make_model(dropout=0.0):
    keras.utils.set_random_seed(0)
    return Model(None, Backbone(dropout), Head(3), Form.ENCODER)


def make_batch():
    generator = np.random.default_rng(0)
    mask = np.ones((4, 5), bool)
    mask[2, 3:] = False
    features = {"token_ids": generator.integers(11, size=(4, 5)), "padding_mask": mask}
    return Batch(features, {"tags": generator.integers(3, size=(4, 5))}, int(mask.sum()), 4)


def step_of(model, **options):
    composition = Composition([(METHOD, context_of("adversarial_training", options))])
    optimizer = keras.optimizers.SGD(0.1)
    return make_training_step(model, loss, optimizer, False, composition.update_loss())


def loss_of(model, features, batch):
    """Return the loss of a batch with these features."""
    return float(ops.convert_to_numpy(loss(model(features), batch.targets, {})))


def test_the_perturbation_is_in_units_of_the_deviation_of_each_example():
    generator = np.random.default_rng(0)
    embedded = generator.normal(size=(2, 3, 4)).astype("float32")
    mask = np.array([[True, True, False], [True, True, True]])
    tensors = map(ops.convert_to_tensor, (embedded, np.ones_like(embedded), mask))
    moved = ops.convert_to_numpy(perturbed(*tensors)) - embedded
    np.testing.assert_allclose(moved[0, :2], embedded[0, :2].std(), rtol=1e-4)
    np.testing.assert_allclose(moved[1], embedded[1].std(), rtol=1e-4)
    assert not moved[0, 2].any()


def test_the_gradient_is_that_of_finite_differences():
    model, batch = make_model(), make_batch()
    model(dict(batch.features))
    found = make_gradient_step(model, loss, False)(batch.features, batch.targets)
    assert found.shape == (4, 5, 6)
    for place in [(0, 1, 2), (3, 4, 5), (2, 0, 0)]:
        move = np.zeros_like(found)
        move[place] = 1e-2
        high, low = (
            loss_of(model, {**batch.features, PERTURBATION: sign * move}, batch) for sign in (1, -1)
        )
        assert found[place] == pytest.approx((high - low) / 2e-2, rel=1e-2, abs=1e-5)


def test_an_update_minimizes_the_mean_of_the_plain_and_the_perturbed_loss():
    model, batch = make_model(), make_batch()
    model(dict(batch.features))
    gradient = make_gradient_step(model, loss, False)(batch.features, batch.targets)
    moved = {**batch.features, PERTURBATION: EPSILON * np.sign(gradient)}
    plain, worse = (loss_of(model, features, batch) for features in (dict(batch.features), moved))
    assert worse > plain
    step = step_of(model, epsilon=EPSILON, share=0.25)
    assert float(step(batch)) == pytest.approx(0.75 * plain + 0.25 * worse, rel=1e-5)


def test_random_numbers_go_on_from_one_pass_to_the_next():
    model, batch = make_model(dropout=0.5), make_batch()
    model(dict(batch.features))
    before = [np.array(value) for value in model.get_weights()]
    step = step_of(model, epsilon=EPSILON)
    losses = [float(step(batch)) for _ in range(3)]
    assert np.isfinite(losses).all()
    after = model.get_weights()
    changed = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert all(changed), "the weights, and the state of the random numbers"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["vanilla", "longformer", "lstm", "mamba2", "reformer"])
def test_every_kind_of_backbone_takes_perturbed_tokens(tmp_path, monkeypatch, architecture):
    score_few(monkeypatch)
    methods = ("adversarial_training", "adversarial:strengths=0.1")
    *_, outcome = run_planned(
        tmp_path, "sentiment", architecture, *methods, steps=4, score_test=True
    )
    assert outcome["conditions"].keys() == {"adversarial=0.1"}
