"""Contract tests for every decoder of the registry: the conformance kit."""

from __future__ import annotations

import pytest

from suite.api import Form, Inputs
from suite.worker.conformance import decoding
from suite.worker.conformance.subjects import Case
from tests.architectures import (
    assert_passes,
    checks_of_passes,
    is_quick,
    slow_unless,
    subject_of,
)

CHECKS = checks_of_passes(of_encoders=False)


@pytest.mark.parametrize("name", [slow_unless(is_quick(*CHECKS[name]), name) for name in CHECKS])
def test_a_check_of_a_decoder_passes(name):
    named, check = CHECKS[name]
    assert_passes(check, subject_of(named))


@pytest.mark.parametrize(("share", "fails"), [(1e-6, False), (2e-5, True)])
def test_decoding_may_differ_by_rounding_of_the_architecture_alone(monkeypatch, share, fails):
    """A Transformer of two layers rounds by less than the share of a compiler, which is 1e-4."""
    subject = subject_of(("vanilla", Case(Form.DECODER, Inputs.TOKEN_IDS)))
    states = subject.decode(subject.values()) * (1 + share)
    monkeypatch.setattr(decoding, "decode_in_steps", lambda *_: states)
    found = decoding.decoding_in_steps_equals_the_full_pass(subject)
    assert found.figure < 1e-4 and (found.figure > found.high) == fails
