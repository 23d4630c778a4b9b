"""Initial values follow one policy in every architecture."""

from __future__ import annotations

import math
from functools import cache

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.rwkv import RWKVStack
from suite.api import Form, Inputs, ModelSize, supports
from suite.worker.conformance.gradients import BACKEND, create_weights
from suite.worker.conformance.subjects import main_inputs, random_inputs, request_for
from tests.architectures import ARCHITECTURES, slow_unless

WIDTH, LENGTH, SHORT = 64, 128, 8
SIZE = ModelSize("test", num_layers=2, width=WIDTH, num_heads=4, feedforward_width=256)
HEAD_SIZE = WIDTH // SIZE.num_heads
CASES = [
    slow_unless(
        name == "vanilla"
        or (
            BACKEND != "jax"
            and inputs is main_inputs(architecture)
            and form in ({Form.ENCODER_DECODER} & architecture.forms or architecture.forms)
        ),
        name,
        form,
        inputs,
    )
    for name, architecture in ARCHITECTURES.items()
    for form in sorted(architecture.forms)
    for inputs in sorted(architecture.inputs)
    if BACKEND == "tensorflow" or form is min(architecture.forms)
    if name != "hub"  # its initial values are those of keras-hub
]
"""All layers of inputs are tested with `vanilla`. JAX draws what Keras's initializers ask for.

The quick form is the encoder-decoder, where there is one: it has the layers of both others.
"""


@cache
def build(name: str, form: Form, inputs: Inputs, **options):
    """Return a backbone whose weights exist; no test changes them.

    A short input creates the same weights as one of the full length, in less time.
    """
    keras.utils.set_random_seed(5)
    architecture = ARCHITECTURES[name]
    request = request_for(
        architecture,
        inputs,
        form=form,
        model_size=SIZE,
        sequence_length=LENGTH,
        options={**architecture.options, **options},
        vocabulary_size=400 if inputs is Inputs.TOKEN_IDS else None,
        max_global_tokens=2,
    )
    assert supports(architecture, request) is None
    backbone = architecture.build(request)
    values = random_inputs(inputs, 1, SHORT)
    if inputs is Inputs.EMBEDDINGS:
        values = np.zeros((1, SHORT, WIDTH), "float32")

    def run(values):
        encoded = backbone.encode(values)[0] if form is not Form.DECODER else None
        return encoded if form is Form.ENCODER else backbone.decode(values, encoded)[0]

    create_weights(run, values)
    return backbone


@pytest.mark.parametrize(("name", "form", "inputs"), CASES)
def test_positions_start_at_the_scale_of_the_embeddings_beside_them(name, form, inputs):
    for embedding in build(name, form, inputs).embedding_layers:
        scale = 1.0  # of a task's embeddings and of projected patches
        if embedding.tokens is not None:
            table = ops.convert_to_numpy(embedding.tokens.embeddings)
            assert table.std() == pytest.approx(WIDTH**-0.5, rel=0.05)
            scale = embedding.scale * table.std()
        added = embedding.add_positions(ops.zeros((1, LENGTH, WIDTH)))
        positions = ops.convert_to_numpy(added).std()
        if positions or embedding.add_positions.weights:
            assert 0.5 * scale < positions < 2.0 * scale


@pytest.mark.parametrize(("name", "form", "inputs"), CASES)
def test_kernels_have_glorot_s_scale(name, form, inputs):
    backbone = build(name, form, inputs)
    kernels = [weight for weight in backbone.weights if weight.path.endswith("/kernel")]
    assert kernels
    for kernel in kernels:
        fan_in, fan_out = kernel.shape
        found = ops.convert_to_numpy(kernel).std() / math.sqrt(2.0 / (fan_in + fan_out))
        expected = 1.0
        if name == "gpt" and ("output_projection" in kernel.path or fan_in > fan_out):
            expected = 4**-0.5
        elif name == "t5" and "/query/" in kernel.path:
            expected = HEAD_SIZE**-0.5
        # A convolution's kernel has few values: four standard errors of their deviation.
        tolerance = max(0.1, 4 * math.sqrt(0.2 / math.prod(kernel.shape)))
        assert found == pytest.approx(expected, rel=tolerance), kernel.path


def kernel_of(layer) -> np.ndarray:
    return ops.convert_to_numpy(layer.kernel)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_rwkv7_starts_with_the_published_weights_of_the_position_before(num_layers):
    """1 − (i / C)^(e (1 − l / L)) for channel i and layer l; the last layer sees it too."""
    stack = RWKVStack(num_layers, num_heads=2, low_rank=2, inner_width=16)
    stack.build((None, None, 8))
    places = np.arange(8) / 8
    for index, (of_time, of_channels) in enumerate(stack._blocks()):
        left = 1 - index / num_layers
        for found, exponent in zip(
            ops.convert_to_numpy(of_time.shift_gammas), (0.2, 0.9, 0.7, 0.7, 0.9, 0.2), strict=True
        ):
            np.testing.assert_allclose(found, 1 - places ** (exponent * left), rtol=1e-5)
        found = ops.convert_to_numpy(of_channels.shift_gamma)
        np.testing.assert_allclose(found, 1 - places ** (left**4), rtol=1e-5)


def test_gpt_scales_residual_branches_unless_the_option_says_not_to():
    ends = {}
    for scaled in (True, False):
        stack = build("gpt", Form.DECODER, Inputs.TOKEN_IDS, scaled_residuals=scaled).decoder
        ends[scaled] = [
            kernel_of(part).std()
            for layer in stack.layers
            for part in (layer.attention.output_projection, layer.down_projection)
        ]
    np.testing.assert_allclose(np.divide(ends[True], ends[False]), 4**-0.5, rtol=0.05)


def test_reformer_s_positions_have_the_published_scale_as_an_option():
    backbone = build("reformer", Form.ENCODER, Inputs.TOKEN_IDS, axial_stddev=1.0)
    positions = backbone.encoder_embedding.add_positions
    tables = [ops.convert_to_numpy(part) for part in (positions.by_row, positions.by_column)]
    # A table has a few hundred values: four standard errors of their deviation.
    for table in tables:
        assert table.std() == pytest.approx(1.0, rel=4 * (2 * table.size) ** -0.5)


@pytest.mark.parametrize("matched", [True, False])
def test_longformer_s_global_projections_start_with_the_ordinary_values(matched):
    backbone = build("longformer", Form.ENCODER, Inputs.TOKEN_IDS, matched_projections=matched)
    first, second = (layer.attention for layer in backbone.encoder.layers)
    for name in ("query", "key", "value"):
        own, of_global = (kernel_of(getattr(first, part)) for part in (name, f"{name}_global"))
        assert (own == of_global).all() == matched
        assert (own != kernel_of(getattr(second, name))).any()
    assert (kernel_of(first.query) != kernel_of(first.key)).any()
