"""A declared fixed length is true, and positions decide whether a Transformer extrapolates.

The conformance kit runs all other architectures at twice their training length.
"""

from __future__ import annotations

import dataclasses

import pytest

from baselines.layers.block import CHOICES, LIMITED_POSITIONS
from suite.api import Form
from suite.worker.conformance.gradients import BACKEND, without_compiling
from suite.worker.conformance.passes import NotApplicable, longer_sequences_run
from suite.worker.conformance.subjects import Subject, find_request, main_inputs
from tests.architectures import ARCHITECTURES, assert_passes, slow_unless

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="the layers check their inputs")


def subject_with(name: str, form: Form, **options: object) -> Subject:
    architecture = ARCHITECTURES[name]
    request = find_request(architecture, form, main_inputs(architecture))
    request = dataclasses.replace(request, options={**request.options, **options})
    return Subject(architecture, request)


def assert_is_fixed(subject: Subject) -> None:
    """Fail unless the length is declared fixed, with a fitting reason, and a longer pass fails."""
    import tensorflow

    with pytest.raises(NotApplicable, match="its training length") as caught:
        longer_sequences_run(subject)
    assert not str(caught.value).endswith(".")
    undeclared = type(subject.architecture)()
    undeclared.fixed_length_reason = lambda request: None  # type: ignore[method-assign]
    subject.architecture = undeclared
    with pytest.raises((ValueError, tensorflow.errors.InvalidArgumentError)):
        longer_sequences_run(subject)


FIXED = [
    (name, form)
    for name, architecture in ARCHITECTURES.items()
    for form in sorted(architecture.forms - {Form.ENCODER_DECODER})
    if architecture.fixed_length_reason(find_request(architecture, form, main_inputs(architecture)))
]


@pytest.mark.parametrize(("name", "form"), FIXED)
def test_a_model_of_a_fixed_length_takes_no_longer_sequence(name, form):
    with without_compiling():
        assert_is_fixed(subject_with(name, form))


@pytest.mark.parametrize("positions", CHOICES["positions"])
@pytest.mark.parametrize("name", [slow_unless(False, "gpt"), "vanilla"])
def test_positions_decide_whether_a_transformer_is_fixed(name, positions):
    with without_compiling():
        subject = subject_with(name, Form.DECODER, positions=positions)
        if positions in LIMITED_POSITIONS:
            assert_is_fixed(subject)
        else:
            assert_passes(longer_sequences_run, subject)
