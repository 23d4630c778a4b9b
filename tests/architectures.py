"""The requests, inputs and helpers that the architectures' contract tests share."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from suite.api import Architecture, BuildRequest, Form, Inputs, ModelSize, supports
from suite.matrix.registry import load_registry
from tests.gradients import BACKEND, differentiate, run

SIZE = ModelSize("test", num_layers=2, width=16, num_heads=2, feedforward_width=48)
LENGTH = 19
REAL = 13
SHORT = 6
VOCABULARY = 37

ARCHITECTURES = load_registry().architectures.plugins


def shorten(options) -> dict:
    """Return options whose windows, kernels and segments are shorter than the sequence.

    Odd numbers stay odd and even ones even, because windows and kernels need one of the two.
    """

    def shortened(value):
        if isinstance(value, list):
            return [shortened(item) for item in value]
        return SHORT + value % 2 if type(value) is int and value > LENGTH else value

    return {name: shortened(value) for name, value in options.items()}


def request_for(architecture: Architecture, inputs: Inputs, **changes) -> BuildRequest:
    given = {
        "form": Form.ENCODER,
        "inputs": inputs,
        "model_size": SIZE,
        "sequence_length": LENGTH,
        "options": shorten(architecture.options),
        "vocabulary_size": VOCABULARY if inputs is Inputs.TOKEN_IDS else None,
    }
    return BuildRequest(**{**given, **changes})


def main_inputs(architecture: Architecture) -> Inputs:
    """Return token ids, or patches if the architecture accepts only patches."""
    return Inputs.TOKEN_IDS if Inputs.TOKEN_IDS in architecture.inputs else Inputs.PATCHES


CASES = [
    (name, inputs)
    for name, architecture in ARCHITECTURES.items()
    for inputs in Inputs
    if supports(architecture, request_for(architecture, inputs)) is None
    # One backend tests every kind of input: input layers are Keras's own.
    and (BACKEND == "tensorflow" or inputs is main_inputs(architecture))
]
ENCODERS = sorted({name for name, _ in CASES})
DECODERS = [
    (name, form)
    for name, architecture in ARCHITECTURES.items()
    for form in (Form.DECODER, Form.ENCODER_DECODER)
    if supports(architecture, request_for(architecture, Inputs.TOKEN_IDS, form=form)) is None
]
PATCH_SIZE = 12


def random_inputs(inputs: Inputs, batch: int, length: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if inputs is Inputs.TOKEN_IDS:
        return generator.integers(VOCABULARY, size=(batch, length)).astype("int32")
    width = PATCH_SIZE if inputs is Inputs.PATCHES else SIZE.width
    return generator.normal(size=(batch, length, width)).astype("float32")


@lru_cache
def encoder_of(backbone):
    """Return the same function every time, so that JAX compiles it once per shape."""
    return lambda values, mask: backbone.encode(values, padding_mask=mask, training=False)[0]


def encode(backbone, inputs, mask) -> np.ndarray:
    """Return the hidden states of the input's positions, without extra positions."""
    states = run(encoder_of(backbone), inputs, mask)
    return states[:, backbone.extra_positions :]


def assert_gradients_reach(backbone, loss) -> None:
    weights = backbone.trainable_weights
    assert weights
    _, gradients = differentiate(loss, [], weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        assert gradient is not None, weight.path
        # The key bias adds the same number to all scores of a query, so it has no gradient.
        if not weight.path.endswith("key/bias"):
            assert np.abs(gradient).max() > 0, weight.path
