"""Occlusion maps show the reach of each mechanism: all positions, the past, a band."""

from __future__ import annotations

import base64

import keras
import numpy as np

from suite.api import BuildRequest, Examples, Form, Inputs, ModelSize
from suite.matrix.registry import load_registry
from suite.worker.model import Model
from suite.worker.occlusion import occlusion_map

LENGTH, VOCABULARY, BATCH_SIZE = 48, 30, 5
SIZE = ModelSize("one", num_layers=1, width=16, num_heads=2, feedforward_width=32)


def occlude(name, form=Form.ENCODER, inputs=Inputs.TOKEN_IDS, **options):
    keras.utils.set_random_seed(0)
    architecture = load_registry(()).architectures.get(name)
    backbone = architecture.build(
        BuildRequest(form, inputs, SIZE, LENGTH, {**architecture.options, **options},
                     vocabulary_size=VOCABULARY if inputs is Inputs.TOKEN_IDS else None)
    )  # fmt: skip
    model = Model(None, backbone, keras.layers.Dense(2), form)
    random = np.random.default_rng(0)
    mask = np.ones((4, LENGTH), bool)
    mask[1:, 40:] = False
    features = {"padding_mask": mask}
    if inputs is Inputs.PATCHES:
        features["patches"] = random.normal(size=(4, LENGTH, 12)).astype("float32")
    else:
        features["token_ids"] = random.integers(1, VOCABULARY, (4, LENGTH)).astype("int32")
    found = occlusion_map(model, Examples(features, {}), BATCH_SIZE)
    shape = len(found["inputs"]), len(found["outputs"])
    return np.frombuffer(base64.b64decode(found["map"]), np.uint8).reshape(shape)


def test_full_attention_reaches_every_position_and_its_own_most():
    change = occlude("vanilla")
    assert change.shape == (LENGTH, LENGTH) and change.max() == 255
    assert (change > 0).mean() > 0.9 and np.diag(change).mean() > 3 * change.mean()


def test_a_causal_model_does_not_read_later_positions():
    change = occlude("gpt", Form.DECODER)
    assert (change[np.tril_indices(LENGTH, -1)] == 0).all()
    assert (change[np.triu_indices(LENGTH)] > 0).mean() > 0.9


def test_a_window_is_a_band_in_the_map():
    change = occlude("longformer", window=(8,))
    distance = np.abs(np.subtract.outer(np.arange(LENGTH), np.arange(LENGTH)))
    assert (change[distance > 4] == 0).all() and (change[distance <= 4] > 0).mean() > 0.9


def test_patches_have_no_class_token_in_the_map():
    assert occlude("vit", inputs=Inputs.PATCHES).shape == (LENGTH, LENGTH)
