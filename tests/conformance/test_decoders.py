"""Contract tests for every decoder of the registry: the conformance kit."""

from __future__ import annotations

import pytest

from suite.api import Form
from suite.worker.conformance.models import OF_MODELS
from tests.architectures import (
    ARCHITECTURES,
    assert_passes,
    checks_of_passes,
    is_quick,
    slow_unless,
    subject_of,
)

CHECKS = checks_of_passes(of_encoders=False)
DECODERS = [name for name, part in ARCHITECTURES.items() if part.forms == {Form.DECODER}]


@pytest.mark.parametrize("name", [slow_unless(is_quick(*CHECKS[name]), name) for name in CHECKS])
def test_a_check_of_a_decoder_passes(name):
    named, check = CHECKS[name]
    assert_passes(check, subject_of(named))


@pytest.mark.parametrize("check", OF_MODELS)
@pytest.mark.parametrize("name", DECODERS)
def test_a_check_of_a_model_without_encoder_passes(name, check):
    assert_passes(check, ARCHITECTURES[name], Form.DECODER)
