"""Each architecture in a Keras model: training in half precision and by XLA, saving and export."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.worker.conformance.gradients import BACKEND
from suite.worker.steps import default_policy
from tests.architectures import ARCHITECTURES
from tests.layers import layer_and_inputs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras trains and exports for TensorFlow"),
    pytest.mark.parametrize("name", ARCHITECTURES),
]
LABELS = np.array([0, 1])


def classifier_of(name, **compiling):
    """Return a compiled classifier around a layer of an architecture, and inputs for it."""
    keras.utils.set_random_seed(0)
    layer, inputs = layer_and_inputs(name)
    model = keras.Sequential(
        [
            keras.Input(inputs.shape[1:], dtype=inputs.dtype.name),
            layer,
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2, dtype="float32"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3), loss, **compiling)
    return model, inputs


def losses_of(model, inputs):
    return model.fit(inputs, LABELS, epochs=3, verbose=0).history["loss"]


def loss_of(model, inputs):
    """Return the loss in evaluation: in training, new hashes move the loss as much as a step."""
    return model.evaluate(inputs, LABELS, verbose=0)


def test_a_model_trains_and_is_saved_in_mixed_bfloat16(name, tmp_path):
    with default_policy("mixed_bfloat16"):
        model, inputs = classifier_of(name)
        before = loss_of(model, inputs)
        losses = losses_of(model, inputs)
        after = loss_of(model, inputs)
        model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.isfinite(losses).all() and after < before
    assert {part.compute_dtype for part in loaded.layers[0]._flatten_layers()} == {"bfloat16"}
    found, expected = (ops.convert_to_numpy(each(inputs)) for each in (loaded, model))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_model_is_exported(name, tmp_path):
    import tensorflow as tf

    model, inputs = classifier_of(name)
    model.export(str(tmp_path / "exported"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(loaded.serve(inputs), ops.convert_to_numpy(model(inputs)), atol=1e-5)


def test_a_model_trains_by_xla(name):
    expected, found = (
        losses_of(*classifier_of(name, jit_compile=compiled)) for compiled in (False, True)
    )
    tolerance = 0.5 if ARCHITECTURES[name].content_dependent_layout else 1e-3
    np.testing.assert_allclose(found, expected, rtol=tolerance)
