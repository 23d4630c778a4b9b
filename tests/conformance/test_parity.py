"""Parameter parity: without embeddings and head, all architectures are as large as `vanilla`.

The sizes beside `tiny` are slow tests: `bench run` also checks the size of a ranked run.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.api import Form, PluginError
from suite.records.model_sizes import MODEL_SIZES
from suite.worker.conformance.gradients import BACKEND
from suite.worker.conformance.models import (
    counted,
    extrapolated,
    judge_parity,
    mixing_parameters,
    parity_with_vanilla,
)
from tests.architectures import ARCHITECTURES, assert_passes, slow_unless

pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="counts are the same on every backend"
)

FORMS = [
    slow_unless(form is min(forms), name, form)
    for name, forms in ((name, architecture.forms) for name, architecture in ARCHITECTURES.items())
    for form in sorted(forms)
]
"""The other forms are slow: golden values hold the parameters of each form of a version."""


@pytest.mark.parametrize(
    "size",
    [pytest.param(size, marks=() if size == "tiny" else pytest.mark.slow) for size in MODEL_SIZES],
)
@pytest.mark.parametrize(("name", "form"), FORMS)
def test_parameters_are_within_a_tenth_of_vanilla_or_as_declared(name, form, size):
    assert_passes(parity_with_vanilla, ARCHITECTURES[name], form, MODEL_SIZES[size])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), FORMS)
def test_the_layers_of_a_model_are_equally_large(name, form):
    """The counts of the largest size are extrapolated from one layer and two."""
    architecture, size = ARCHITECTURES[name], replace(MODEL_SIZES["tiny"], num_layers=3)
    found = counted(architecture, form, size)[0]
    assert extrapolated(architecture, form, size) == pytest.approx(found, rel=2e-3)


@pytest.mark.parametrize(
    ("ratio", "declared", "passes"),
    [
        (1.09, None, True),
        (1.11, None, False),
        (0.89, None, False),
        (1.25, 1.25, True),
        (1.0, 1.25, False),
        (1.3, 1.25, False),
    ],
)
def test_a_declared_difference_holds_in_both_directions(ratio, declared, passes):
    found = judge_parity(ratio, declared)
    assert (found.low <= found.figure <= found.high) is passes


def test_parity_is_not_declared():
    with pytest.raises(PluginError, match=r"Received: 1\.05\. Remove it"):
        judge_parity(1.05, 1.05)


@pytest.mark.parametrize("form", sorted(Form))
def test_the_count_of_vanilla_is_that_of_its_published_layers(form):
    size = MODEL_SIZES["tiny"]
    width, wide = size.width, size.feedforward_width
    attention, norm = 4 * (width**2 + width), 2 * width
    layer = attention + norm + 2 * width * wide + wide + width + norm
    crossing = layer + attention + norm
    expected = {
        Form.ENCODER: layer,
        Form.DECODER: layer,
        Form.ENCODER_DECODER: layer + crossing,
    }[form]
    assert mixing_parameters(ARCHITECTURES["vanilla"], form, size) == size.num_layers * expected
