"""Contract tests for every decoder of the registry: the conformance kit."""

from __future__ import annotations

import pytest

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
