"""Parameter parity: without embeddings and head, all architectures are as large as `vanilla`."""

from __future__ import annotations

from functools import lru_cache

import keras
import pytest

from suite.api import Form, Inputs, supports
from suite.matrix.model_sizes import MODEL_SIZES
from suite.worker.steps import Model, PositionHead
from tests.architectures import ARCHITECTURES, main_inputs, request_for
from tests.gradients import BACKEND

pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="counts are the same on every backend"
)

LENGTH, PATCH_SIZE, TOLERANCE = 32, 48, 0.1
CASES = [
    (name, form, size)
    for name, architecture in ARCHITECTURES.items()
    for form in sorted(architecture.forms)
    for size in MODEL_SIZES
]


@lru_cache
def mixing_parameters(name: str, form: Form, size: str, max_global_tokens: int = 0) -> int:
    """Count the parameters that parity is about, without memory for their values."""
    architecture = ARCHITECTURES[name]
    inputs = main_inputs(architecture)
    request = request_for(
        architecture,
        inputs,
        form=form,
        model_size=MODEL_SIZES[size],
        sequence_length=LENGTH,
        options=dict(architecture.options),
        max_global_tokens=max_global_tokens,
    )
    assert supports(architecture, request) is None
    shape = (1, LENGTH) if inputs is Inputs.TOKEN_IDS else (1, LENGTH, PATCH_SIZE)
    values = keras.KerasTensor(shape, "int32" if inputs is Inputs.TOKEN_IDS else "float32")
    features = {"padding_mask": keras.KerasTensor((1, LENGTH), "bool"), "target_ids": values}
    features["token_ids" if inputs is Inputs.TOKEN_IDS else "patches"] = values
    with keras.StatelessScope(initialize_variables=False):
        model = Model(None, architecture.build(request), PositionHead(3), form)
        keras.backend.compute_output_spec(model, features)
        return model.parameter_counts()["mixing"]


@pytest.mark.parametrize(("name", "form", "size"), CASES)
@pytest.mark.parametrize("max_global_tokens", [0, 8])
def test_parameters_are_within_a_tenth_of_vanilla(name, form, size, max_global_tokens):
    found = mixing_parameters(name, form, size, max_global_tokens)
    assert found == pytest.approx(mixing_parameters("vanilla", form, size), rel=TOLERANCE)


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
