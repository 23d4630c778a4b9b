"""Checks of whole models: repetition, saving and loading, and parameter parity with `vanilla`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from suite.api import Architecture, Form, Inputs, ModelSize, PluginError, supports
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.conformance.gradients import tensors, without_compiling
from suite.worker.conformance.passes import Finding
from suite.worker.conformance.subjects import (
    LONGER,
    SIZE,
    find_request,
    main_inputs,
    random_inputs,
    request_for,
)
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


def same_seed_same_losses(architecture: Architecture, form: Form) -> Finding:
    """Two trainings with the same seed have exactly the same losses."""
    with without_compiling():
        curves = [learning_curve(architecture, form, NUM_STEPS) for _ in range(2)]
    first, again = map(np.array, curves)
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


LENGTH, TOLERANCE, GLOBAL_TOKENS = 8, 0.1, 3
DECLARED_TOLERANCE = 0.02
"""The relative difference between the declared and the measured number of parameters."""
MAX_BUILT = 4
"""Models of more layers are not built: those of two layers and of four tell their size.

A pattern of two kinds of layers fits in both.
"""
Shapes = Sequence[tuple[int, ...]]


def parity_with_vanilla(architecture: Architecture, form: Form, size: ModelSize) -> Finding:
    """The parameters relative to `vanilla` are within a tenth, or as the architecture declares."""
    declared = architecture.relative_parameters.get(form)
    counts = (0, GLOBAL_TOKENS) if _global_tokens_add_weights(architecture, form) else (0,)
    ratios = [relative_parameters(architecture, form, size, count) for count in counts]
    return judge_parity(max(ratios, key=lambda ratio: abs(ratio - (declared or 1.0))), declared)


def judge_parity(ratio: float, declared: float | None) -> Finding:
    """Return the finding for a number of parameters relative to `vanilla`."""
    if declared is None:
        remedy = "change the feed-forward width"
        return Finding(ratio, low=1 - TOLERANCE, high=1 + TOLERANCE, reason=remedy)
    if abs(declared - 1) <= TOLERANCE:
        raise PluginError(
            "relative_parameters declares a number within 10% of vanilla",
            received=declared,
            remedy="Remove it",
        )
    low, high = (declared * (1 + sign * DECLARED_TOLERANCE) for sign in (-1, 1))
    return Finding(ratio, low=low, high=high, reason=f"relative_parameters declares {declared}")


def relative_parameters(
    architecture: Architecture, form: Form, size: ModelSize, num_global: int = 0
) -> float:
    """Return the parameters of an architecture divided by those of `vanilla`."""
    vanilla = find_plugin(ARCHITECTURES, "vanilla")
    own = mixing_parameters(architecture, form, size, num_global)
    return own / mixing_parameters(vanilla, form, size)


def mixing_parameters(
    architecture: Architecture, form: Form, size: ModelSize, num_global: int = 0
) -> float:
    """Return the parameters that parity is about."""
    if size.num_layers > MAX_BUILT:
        return extrapolated(architecture, form, size, num_global)
    return counted(architecture, form, size, num_global)[0]


def extrapolated(
    architecture: Architecture, form: Form, size: ModelSize, num_global: int = 0
) -> float:
    """Return the parameters of a size, from models of two layers and of four."""
    two, four = (
        counted(architecture, form, replace(size, num_layers=layers), num_global)[0]
        for layers in (2, 4)
    )
    return two + (size.num_layers - 2) * (four - two) / 2


def _global_tokens_add_weights(architecture: Architecture, form: Form) -> bool:
    without, with_tokens = (counted(architecture, form, SIZE, n)[1] for n in (0, GLOBAL_TOKENS))
    return without != with_tokens


@cache
def counted(
    architecture: Architecture, form: Form, size: ModelSize, num_global: int = 0
) -> tuple[int, Shapes]:
    """Return the parameters that parity is about, and the shapes of all weights."""
    inputs = main_inputs(architecture) if form is Form.ENCODER else Inputs.TOKEN_IDS
    request = request_for(
        architecture,
        inputs,
        form=form,
        model_size=size,
        sequence_length=LENGTH,
        options=dict(architecture.options),
        max_global_tokens=num_global,
    )
    if supports(architecture, request) is not None:
        request = replace(request, sequence_length=LONGER)
    values, mask = tensors(
        random_inputs(inputs, 1, request.sequence_length, width=size.width),
        np.ones((1, request.sequence_length), bool),
    )
    features = {"padding_mask": mask, "target_ids": values}
    features["token_ids" if inputs is Inputs.TOKEN_IDS else "patches"] = values
    model = Model(None, architecture.build(request), PositionHead(2), form)
    model(features)
    shapes = [tuple(weight.shape) for weight in model.weights]
    return model.parameter_counts()["mixing"], shapes
