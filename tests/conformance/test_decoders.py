"""Contract tests for every decoder of the registry."""

from __future__ import annotations

from functools import lru_cache

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import Form, Inputs, supports
from tests.architectures import (
    ARCHITECTURES,
    DECODERS,
    LENGTH,
    REAL,
    SIZE,
    VOCABULARY,
    assert_gradients_reach,
    encode,
    encoder_of,
    random_inputs,
    request_for,
)
from tests.gradients import create_weights, run


@lru_cache
def decoder_of(backbone):
    def decode(target, *encoded):
        return backbone.decode(
            target, **dict(zip(("encoder_output", "encoder_mask"), encoded, strict=False))
        )

    return decode


@pytest.fixture(scope="module", params=DECODERS, ids=lambda case: f"{case[0]}-{case[1]}")
def decoder(request):
    """A decoder, with the encoder's output in the encoder-decoder form."""
    name, form = request.param
    keras.utils.set_random_seed(3)
    architecture = ARCHITECTURES[name]
    # Default options if supported: short segments would change the result of decoding in parts.
    whole = request_for(
        architecture, Inputs.TOKEN_IDS, form=form, options=dict(architecture.options)
    )
    short = request_for(architecture, Inputs.TOKEN_IDS, form=form)
    backbone = architecture.build(short if supports(architecture, whole) else whole)
    encoded: dict[str, np.ndarray] = {}
    target = random_inputs(Inputs.TOKEN_IDS, 2, LENGTH)
    if form is Form.ENCODER_DECODER:
        mask = np.arange(LENGTH)[None, :] < np.array([[REAL], [LENGTH]])
        source = random_inputs(Inputs.TOKEN_IDS, 2, LENGTH, seed=4)
        create_weights(encoder_of(backbone), source, mask)
        encoded = {"encoder_output": encode(backbone, source, mask), "encoder_mask": mask}
    create_weights(decoder_of(backbone), target, *encoded.values())
    return architecture, backbone, encoded


def decode(backbone, target, **encoded) -> np.ndarray:
    return run(decoder_of(backbone), target, *encoded.values())


def test_a_decoder_attends_to_no_later_position(decoder):
    architecture, backbone, encoded = decoder
    if architecture.content_dependent_layout:
        return  # later tokens may change the layout: tested elsewhere with fixed buckets
    target = random_inputs(Inputs.TOKEN_IDS, 2, LENGTH)
    whole = decode(backbone, target, **encoded)
    for position in (1, 7, LENGTH - 1):
        changed = target.copy()
        changed[:, position:] = (changed[:, position:] + 1) % VOCABULARY
        other = decode(backbone, changed, **encoded)
        np.testing.assert_allclose(other[:, :position], whole[:, :position], atol=1e-5)
        assert np.abs(other[:, position:] - whole[:, position:]).max() > 1e-3


def test_decoding_step_by_step_equals_decoding_at_once(decoder):
    architecture, backbone, encoded = decoder
    if architecture.content_dependent_layout:
        return  # its rule for new positions is tested elsewhere
    target = random_inputs(Inputs.TOKEN_IDS, 2, LENGTH)
    whole = decode(backbone, target, **encoded)
    state = backbone.init_state(2, LENGTH)
    if encoded and hasattr(backbone, "project_encoder_output"):
        encoded = {
            **encoded,
            "encoder_output": backbone.project_encoder_output(encoded["encoder_output"]),
        }
    for start, stop in ((0, 1), (1, 2), (2, 7), (7, 8), (8, LENGTH)):
        states, state = backbone.decode(
            target[:, start:stop], state=state, position=start, **encoded
        )
        np.testing.assert_allclose(ops.convert_to_numpy(states), whole[:, start:stop], atol=1e-5)


def test_values_at_padding_of_the_encoder_output_change_nothing(decoder):
    _, backbone, encoded = decoder
    target = random_inputs(Inputs.TOKEN_IDS, 2, LENGTH)
    if not encoded:
        return
    other = np.where(encoded["encoder_mask"][:, :, None], encoded["encoder_output"], 9.0).astype(
        "float32"
    )
    np.testing.assert_allclose(
        decode(backbone, target, encoder_output=other, encoder_mask=encoded["encoder_mask"]),
        decode(backbone, target, **encoded),
        atol=1e-5,
    )


def test_gradients_reach_every_weight_of_a_decoder(decoder):
    _, backbone, encoded = decoder
    target = random_inputs(Inputs.TOKEN_IDS, 2, LENGTH)
    aim = np.random.default_rng(5).normal(size=(2, LENGTH, SIZE.width)).astype("float32")

    def loss():
        given = dict(encoded)
        if encoded:
            given["encoder_output"], _ = backbone.encode(target, encoded["encoder_mask"])
        return ops.sum(
            backbone.decode(target, training=True, **given)[0] * ops.convert_to_tensor(aim)
        )

    assert_gradients_reach(backbone, loss)
