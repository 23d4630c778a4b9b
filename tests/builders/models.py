"""Small models with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.conformance.subjects import LARGER, find_request, main_inputs, random_inputs
from suite.worker.decode import create_weights
from suite.worker.model import Model, PositionHead
from suite.worker.steps import fix_randomness

WIDE = replace(LARGER, num_layers=1, width=128, feedforward_width=512)
"""A size in which scales are few beside quantized weights."""


def make_model(
    name: str,
    form: Form,
    length: int,
    vocabulary_size: int,
    *,
    num_layers: int = 1,
    max_global_tokens: int = 0,
    carries_state: bool = False,
    **options: Any,
) -> Model:
    """Return a model that scores the tokens of its vocabulary; it has no weights yet."""
    keras.utils.set_random_seed(5)
    architecture = find_plugin(ARCHITECTURES, name)
    request = BuildRequest(
        form,
        Inputs.TOKEN_IDS,
        ModelSize("test", num_layers, width=16, num_heads=2, feedforward_width=48),
        length,
        {**architecture.defaults(options), **options},
        vocabulary_size=vocabulary_size,
        max_global_tokens=max_global_tokens,
    )
    head = PositionHead(vocabulary_size)
    return Model(None, architecture.build(request), head, form, carries_state)


def sharpened(model: Model) -> Model:
    """Create missing weights, and set all so far from 0 that the scores of tokens differ."""
    if not model.built:
        create_weights(model)
    for weight in model.trainable_variables:
        weight.assign(weight * 3.0)
    return model


def model_and_features(name, form):
    """Return a model of an architecture, wide enough for scales to be few, and a batch."""
    fix_randomness(0)
    architecture = find_plugin(ARCHITECTURES, name)
    inputs = main_inputs(architecture) if form is Form.ENCODER else Inputs.TOKEN_IDS
    request = find_request(architecture, form, inputs)
    max_global_tokens = 2 if form is Form.ENCODER else 0
    size = replace(WIDE, num_layers=2) if name == "hybrid" else WIDE  # a layer for each mixer
    request = replace(request, model_size=size, max_global_tokens=max_global_tokens)
    model = Model(None, architecture.build(request), PositionHead(3), form)
    length = request.sequence_length
    values = random_inputs(inputs, 2, length, width=WIDE.width)
    mask = np.arange(length)[None, :] < np.array([[length - 3], [length]])
    features = {
        "token_ids" if inputs is Inputs.TOKEN_IDS else "patches": values,
        "target_ids": values[:, ::-1].copy(),
        "padding_mask": mask,
        "global_mask": np.arange(length)[None, :] < np.array([[1], [1]]),
    }
    return model, {key: ops.convert_to_tensor(value) for key, value in features.items()}


def hidden_states(model, features):
    return ops.convert_to_numpy(model.hidden_states(features, training=False))
