"""Checks of whole models: training repeats with the same seed, and weights are saved and loaded."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from suite.api import Architecture, Form, Inputs, supports
from suite.worker.conformance.gradients import without_compiling
from suite.worker.conformance.passes import Finding
from suite.worker.conformance.subjects import find_request, main_inputs, random_inputs
from suite.worker.data.batches import Batch
from suite.worker.model import Model, PositionHead, mean_cross_entropy
from suite.worker.steps import fix_randomness, make_prediction_step, make_training_step

NUM_STEPS = 2
"""The first loss depends on the forward pass alone, the second on the gradients too."""
NUM_CLASSES = 3
DROPOUT = 0.1
LOADED = 1e-6
"""The largest difference of predictions by the same weights."""


class Projected(keras.layers.Layer):
    """A task's embedding, for architectures that accept patches or embeddings."""

    def call(self, features: Any, training: bool | None = None) -> Any:
        """Return the values of a batch."""
        return features["values"]


def model_of(
    architecture: Architecture, form: Form = Form.ENCODER, seed: int = 0
) -> tuple[Model, Batch]:
    """Return a model with dropout and one layer, or more where it needs them, and its batch."""
    fix_randomness(seed)
    inputs = main_inputs(architecture) if form is Form.ENCODER else Inputs.TOKEN_IDS
    request = find_request(architecture, form, inputs)
    one_layer = replace(request, model_size=replace(request.model_size, num_layers=1))
    if supports(architecture, one_layer) is None:
        request = one_layer
    model = Model(
        None if inputs is Inputs.TOKEN_IDS else Projected(),
        architecture.build(replace(request, dropout=DROPOUT)),
        PositionHead(NUM_CLASSES),
        form,
    )
    length, width = request.sequence_length, request.model_size.width
    values = random_inputs(inputs, 2, length, width=width)
    key = "token_ids" if inputs is Inputs.TOKEN_IDS else "values"
    features = {key: values, "padding_mask": np.ones((2, length), bool)}
    if form is Form.ENCODER_DECODER:
        features["target_ids"] = values
    scored = 1 if getattr(model.backbone, "extra_positions", 0) else length
    labels = np.random.default_rng(1).integers(NUM_CLASSES, size=(2, scored)).astype("int32")
    return model, Batch(features, {"labels": labels}, 2 * length, 2)


def learning_curve(
    architecture: Architecture, form: Form, num_steps: int, *, xla: bool = False
) -> list[float]:
    """Return the losses of the first steps of a training."""
    model, batch = model_of(architecture, form)
    # SGD, because compiling Adam would take half the time.
    step = make_training_step(model, mean_cross_entropy, keras.optimizers.SGD(0.05), xla)
    return [float(step(batch)) for _ in range(num_steps)]


def repeated_curves(
    architecture: Architecture, form: Form, num_steps: int = NUM_STEPS
) -> list[list[float]]:
    """Return the losses of two trainings with the same seed."""
    with without_compiling():
        return [learning_curve(architecture, form, num_steps) for _ in range(2)]


def same_seed_same_losses(architecture: Architecture, form: Form) -> Finding:
    """Two trainings with the same seed have exactly the same losses."""
    first, again = map(np.array, repeated_curves(architecture, form))
    return Finding(float(np.abs(first - again).max()), high=0.0)


def weights_are_saved_and_loaded(architecture: Architecture, form: Form) -> Finding:
    """A model that loads the weights of another predicts the same."""
    model, batch = model_of(architecture, form, seed=1)
    other, _ = model_of(architecture, form, seed=2)
    predict, predict_other = (
        make_prediction_step(each, lambda outputs, *_: outputs, xla=False)
        for each in (model, other)
    )
    with without_compiling(), tempfile.TemporaryDirectory() as folder:
        expected, again = predict(batch), predict(batch)
        if (changed := float(np.abs(again - expected).max())) > LOADED:
            reason = "two predictions differ: dropout or other noise acts in evaluation"
            return Finding(changed, high=LOADED, reason=reason)
        predict_other(batch)  # the first call creates the weights
        path = Path(folder, "model.weights.h5")
        model.save_weights(path)
        other.load_weights(path)
        loaded = predict_other(batch)
    return Finding(float(np.abs(loaded - expected).max()), high=LOADED)


OF_MODELS = (same_seed_same_losses, weights_are_saved_and_loaded)
