"""The optimizer that training steps use."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from suite.api import Recipe
from suite.worker.optimizers import LinearWarmupAndDecay, make_optimizer

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
