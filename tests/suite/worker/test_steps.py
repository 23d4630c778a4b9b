"""The optimizer that training steps use, and how often a step is traced."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from suite.api import Inputs, Recipe
from suite.worker.conformance.subjects import LENGTH, request_for
from suite.worker.data.batches import Batch
from suite.worker.model import Model, PositionHead
from suite.worker.steps import (
    LinearWarmupAndDecay,
    make_optimizer,
    make_prediction_step,
    make_training_step,
)
from tests.architectures import ARCHITECTURES

TOTAL_STEPS = 8


def weights_after(optimizer, steps: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    layer = keras.layers.Dense(5)
    layer.build((None, 7))
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.weights])
    for _ in range(steps):
        gradients = [generator.normal(size=weight.shape) for weight in layer.weights]
        optimizer.apply(
            [keras.ops.convert_to_tensor(g, "float32") for g in gradients], layer.weights
        )
    return layer.get_weights()


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_the_optimizer_equals_keras_adamw_up_to_rounding(weight_decay):
    recipe = Recipe(learning_rate=0.1, weight_decay=weight_decay, clip_norm=2.0, warmup_share=0.25)

    def by_keras(weight_decay: float) -> list[np.ndarray]:
        schedule = LinearWarmupAndDecay(0.1, 2, TOTAL_STEPS)
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay, global_clipnorm=2.0)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return weights_after(optimizer, TOTAL_STEPS)

    kernel, bias = weights_after(make_optimizer(recipe, TOTAL_STEPS), TOTAL_STEPS)
    expected_kernel, expected_bias = by_keras(weight_decay)
    np.testing.assert_allclose(kernel, expected_kernel, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bias, expected_bias, rtol=1e-4, atol=1e-5)
    without_decay, same_bias = by_keras(0.0)
    assert np.allclose(kernel, without_decay, atol=1e-3) == (weight_decay == 0.0)
    np.testing.assert_allclose(bias, same_bias, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs steps eagerly")
def test_a_step_of_a_new_model_is_traced_once():
    """A function that created variables would be traced twice."""
    architecture = ARCHITECTURES["identity"]
    token_ids = np.zeros((2, LENGTH), "int32")
    features = {"token_ids": token_ids, "padding_mask": np.ones((2, LENGTH), bool)}
    batch = Batch(features, {"labels": token_ids}, token_ids.size, 2)
    traced = []

    def loss(outputs, targets, features):
        traced.append("training")
        return keras.ops.mean(outputs**2)

    def predict(outputs, targets, features):
        traced.append("prediction")
        return outputs

    for makes_weights in ("training", "prediction"):
        backbone = architecture.build(request_for(architecture, Inputs.TOKEN_IDS))
        model = Model(None, backbone, PositionHead(3))
        steps = {
            "training": make_training_step(model, loss, make_optimizer(Recipe(), 4), xla=False),
            "prediction": make_prediction_step(model, predict, xla=False),
        }
        order = sorted(steps, key=lambda name: name != makes_weights)
        for name in order * 2:
            steps[name](batch)
        assert traced == order
        traced.clear()
