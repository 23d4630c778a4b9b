"""Contract tests for every decoder of the registry: the conformance kit."""

from __future__ import annotations

import keras
import pytest

from suite.api import Form
from suite.worker.conformance.models import OF_MODELS
from tests.architectures import ARCHITECTURES, assert_passes, checks_of_passes, subject_of

CHECKS = checks_of_passes(of_encoders=False)
DECODERS = [name for name, part in ARCHITECTURES.items() if part.forms == {Form.DECODER}]


def named(name: str) -> object:
    """Return a check's name, slow on JAX if it generates: that compiles each step of each form."""
    generates = name.endswith("generated_tokens_equal_a_full_recomputation")
    slow = generates and keras.backend.backend() == "jax"
    return pytest.param(name, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize("name", [named(name) for name in CHECKS])
def test_a_check_of_a_decoder_passes(name):
    case, check = CHECKS[name]
    assert_passes(check, subject_of(case))


@pytest.mark.parametrize("check", OF_MODELS)
@pytest.mark.parametrize("name", DECODERS)
def test_a_check_of_a_model_without_encoder_passes(name, check):
    assert_passes(check, ARCHITECTURES[name], Form.DECODER)
