"""Fused kernels of 16-bit floats: computed in float32, rounded once."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.convolved_mixer import convolve_causally
from baselines.layers.elementwise import LayerNorm, RmsNorm, gelu, gelu_tanh
from baselines.layers.fusing import fused, in_float32

# Numbers that 16-bit floats hold exactly.
KERNEL, BIAS = np.arange(-16, 16).reshape(4, 8) / 16, np.arange(8) / 8


def _norm(kind, **options):
    layer = kind(dtype="float32", **options)
    layer.build((None, None, 8))
    variables = [layer.gamma, layer.beta] if kind is LayerNorm else [layer.gamma]
    for place, variable in enumerate(variables):
        variable.assign(np.linspace(0.5, 1.5, 8) - place)
    return layer.call


@pytest.mark.parametrize(
    "function",
    [
        gelu,
        gelu_tanh,
        _norm(LayerNorm),
        _norm(RmsNorm, num_groups=2),
        lambda x: fused(convolve_causally)(x, ops.cast(KERNEL, x.dtype), ops.cast(BIAS, x.dtype)),
    ],
    ids=["gelu", "gelu_tanh", "layer norm", "rms norm", "convolution"],
)
def test_a_kernel_of_16_bit_floats_rounds_its_result_alone(function):
    inputs = ops.cast(np.random.default_rng(0).normal(size=(2, 19, 8)), "bfloat16")
    found = function(inputs)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    wide = function(ops.cast(inputs, "float32"))
    expected = ops.cast(ops.cast(wide, "bfloat16"), "float32")
    steps = np.abs(ops.convert_to_numpy(ops.cast(found, "float32") - expected))
    # Kernels may differ in the last digit of float32, which moves few results by one step.
    assert (steps > 0).mean() < 0.02


def test_float32_inputs_stay_as_they_are():
    double = in_float32(lambda x, y: x + y)
    assert float(double(ops.convert_to_tensor(1.0), ops.convert_to_tensor(2.0))) == 3.0
