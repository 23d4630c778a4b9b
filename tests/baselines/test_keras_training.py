"""Each architecture in a Keras model: training by XLA, and export."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.worker.conformance.gradients import BACKEND
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
            keras.layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3), loss, **compiling)
    return model, inputs


def losses_of(model, inputs):
    return model.fit(inputs, LABELS, epochs=3, verbose=0).history["loss"]


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
