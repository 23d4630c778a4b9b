"""Parameter parity: without embeddings and head, all architectures are as large as `vanilla`."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from suite.api import Form, Inputs, supports
from suite.matrix.model_sizes import MODEL_SIZES
from suite.worker.steps import Model, PositionHead
from tests.architectures import ARCHITECTURES, main_inputs, random_inputs, request_for
from tests.gradients import BACKEND, tensors

pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="counts are the same on every backend"
)

LENGTH, TOLERANCE, GLOBAL_TOKENS = 8, 0.1, 3
FORMS = [
    (name, form)
    for name, architecture in ARCHITECTURES.items()
    for form in sorted(architecture.forms)
]
CASES = [(*case, size) for case in FORMS for size in MODEL_SIZES]


@cache
def count(name: str, form: Form, size: str, num_layers: int, num_global: int = 0):
    """Return the parameters that parity is about, and the shapes of all weights."""
    architecture = ARCHITECTURES[name]
    inputs = main_inputs(architecture)
    request = request_for(
        architecture,
        inputs,
        form=form,
        model_size=dataclasses.replace(MODEL_SIZES[size], num_layers=num_layers),
        sequence_length=LENGTH,
        options=dict(architecture.options),
        max_global_tokens=num_global,
    )
    assert supports(architecture, request) is None
    values, mask = tensors(random_inputs(inputs, 1, LENGTH), np.ones((1, LENGTH), bool))
    features = {"padding_mask": mask, "target_ids": values}
    features["token_ids" if inputs is Inputs.TOKEN_IDS else "patches"] = values
    model = Model(None, architecture.build(request), PositionHead(3), form)
    model(features)
    return model.parameter_counts()["mixing"], [tuple(weight.shape) for weight in model.weights]


def extrapolate(num_layers: int, *case) -> float:
    """Return the parameters of a number of layers, from models of one layer and of two."""
    one, two = (count(*case[:3], layers, *case[3:])[0] for layers in (1, 2))
    return two + (num_layers - 2) * (two - one)


def mixing_parameters(name: str, form: Form, size: str, num_global: int = 0) -> float:
    """Return the parameters that parity is about; large models are not built."""
    if (
        num_global
        and count(name, form, "tiny", 2)[1] == count(name, form, "tiny", 2, num_global)[1]
    ):
        num_global = 0  # global tokens add no weights
    num_layers = MODEL_SIZES[size].num_layers
    if num_layers > 4:
        return extrapolate(num_layers, name, form, size, num_global)
    return count(name, form, size, num_layers, num_global)[0]


def parity_problem(ratio: float, declared: float | None) -> str | None:
    """Return what is wrong with a number of parameters relative to `vanilla`, or None."""
    if declared is None:
        if abs(ratio - 1) <= TOLERANCE:
            return None
        return f"not within 10% of vanilla. Received: {ratio:.3f}. Change the feed-forward width."
    if abs(declared - 1) <= TOLERANCE:
        return f"relative_parameters declares parity. Received: {declared}. Remove it."
    if abs(ratio - declared) > 0.02 * declared:
        return f"relative_parameters does not hold. Received: {declared}. Measured: {ratio:.3f}."
    return None


@pytest.mark.parametrize(("name", "form", "size"), CASES)
@pytest.mark.parametrize("num_global", [0, GLOBAL_TOKENS])
def test_parameters_are_within_a_tenth_of_vanilla_or_as_declared(name, form, size, num_global):
    found = mixing_parameters(name, form, size, num_global)
    ratio = found / mixing_parameters("vanilla", form, size)
    assert parity_problem(ratio, ARCHITECTURES[name].relative_parameters.get(form)) is None


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_the_layers_of_a_model_are_equally_large(name, form):
    """The counts of the largest size are extrapolated from one layer and two."""
    found = count(name, form, "mini", 4)[0]
    assert extrapolate(4, name, form, "mini") == pytest.approx(found, rel=2e-3)


@pytest.mark.parametrize(
    ("ratio", "declared", "problem"),
    [
        (1.09, None, None),
        (1.11, None, "not within 10%"),
        (0.89, None, "not within 10%"),
        (1.25, 1.25, None),
        (1.0, 1.25, "does not hold"),
        (1.3, 1.25, "does not hold"),
        (1.05, 1.05, "declares parity"),
    ],
)
def test_a_declared_difference_holds_in_both_directions(ratio, declared, problem):
    found = parity_problem(ratio, declared)
    assert found is None if problem is None else problem in found


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
    assert mixing_parameters("vanilla", form, "tiny") == size.num_layers * expected
