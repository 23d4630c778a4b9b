"""Each architecture declares whether it runs beyond its training length, and it does so."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from baselines.layers.block import ATTENTION_POSITIONS, LIMITED_POSITIONS
from suite.api import Form
from suite.worker.conformance.gradients import BACKEND, without_compiling
from suite.worker.conformance.subjects import find_request, main_inputs, random_inputs
from tests.architectures import ARCHITECTURES

# A task of the encoder-decoder form generates its answers, and so has no evaluation lengths.
CASES = [
    (name, form, {})
    for name, architecture in ARCHITECTURES.items()
    for form in sorted(architecture.forms - {Form.ENCODER_DECODER})
] + [
    (name, Form.DECODER, {"positions": positions})
    for name in ("gpt", "vanilla")
    for positions in ("none", "sinusoidal", "learned", *ATTENTION_POSITIONS)
]


def request_of(name, form, options):
    architecture = ARCHITECTURES[name]
    request = find_request(architecture, form, main_inputs(architecture))
    return dataclasses.replace(request, options={**request.options, **options})


@pytest.mark.skipif(BACKEND != "tensorflow", reason="shapes are the same on every backend")
@pytest.mark.parametrize(
    ("name", "form", "options"), CASES, ids=lambda part: str(part).replace("'", "")
)
def test_a_model_runs_at_twice_its_training_length_unless_it_says_why_not(name, form, options):
    import tensorflow

    architecture, request = ARCHITECTURES[name], request_of(name, form, options)
    reason = architecture.fixed_length_reason(request)
    length = request.sequence_length
    with without_compiling():
        backbone = architecture.build(request)
        states = hidden_states(backbone, request, length)
        if reason is not None:
            assert reason.strip() == reason and not reason.endswith(".")
            assert "its training length" in reason
            with pytest.raises((ValueError, tensorflow.errors.InvalidArgumentError)):
                hidden_states(backbone, request, 2 * length)
            return
        longer = hidden_states(backbone, request, 2 * length)
    extra = longer.shape[1] - 2 * length
    assert longer.shape == (1, extra + 2 * length, request.model_size.width)
    assert np.isfinite(longer).all() and np.isfinite(states).all()


def hidden_states(backbone, request, length):
    width = request.model_size.width
    values = random_inputs(request.inputs, 1, length, width=width)
    pass_ = backbone.decode if request.form is Form.DECODER else backbone.encode
    return np.asarray(pass_(values, padding_mask=np.ones((1, length), bool), training=False)[0])


@pytest.mark.parametrize("name", ["gpt", "vanilla"])
def test_positions_decide_whether_a_transformer_is_fixed(name):
    for positions in ("none", "sinusoidal", *ATTENTION_POSITIONS, *LIMITED_POSITIONS):
        request = request_of(name, Form.DECODER, {"positions": positions})
        reason = ARCHITECTURES[name].fixed_length_reason(request)
        assert (reason is not None) is (positions in LIMITED_POSITIONS)
