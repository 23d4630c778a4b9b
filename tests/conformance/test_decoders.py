"""Contract tests for every decoder of the registry: the conformance kit."""

from __future__ import annotations

import pytest

from suite.api import Form
from suite.worker.conformance.decoding import generated_tokens_equal_a_full_recomputation
from suite.worker.conformance.gradients import BACKEND
from suite.worker.conformance.models import OF_MODELS
from tests.architectures import ARCHITECTURES, assert_passes, checks_of_passes, subject_of

CHECKS = checks_of_passes(of_encoders=False)
DECODERS = [name for name, part in ARCHITECTURES.items() if part.forms == {Form.DECODER}]


def named(name: str) -> object:
    """Return a check's name, slow on JAX if it compiles much that other checks compile too.

    Generation compiles each step of each form. The decoder of the encoder-decoder form has all
    layers of a decoder.
    """
    (architecture, form, _), check = CHECKS[name]
    generates = check is generated_tokens_equal_a_full_recomputation
    is_part = form is Form.DECODER and Form.ENCODER_DECODER in ARCHITECTURES[architecture].forms
    slow = BACKEND == "jax" and (generates or is_part)
    return pytest.param(name, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize("name", [named(name) for name in CHECKS])
def test_a_check_of_a_decoder_passes(name):
    case, check = CHECKS[name]
    assert_passes(check, subject_of(case))


@pytest.mark.parametrize("check", OF_MODELS)
@pytest.mark.parametrize("name", DECODERS)
def test_a_check_of_a_model_without_encoder_passes(name, check):
    assert_passes(check, ARCHITECTURES[name], Form.DECODER)
