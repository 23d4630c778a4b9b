"""Functions of 16-bit floats that are computed in float32 and rounded once."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers import gated_delta_mixer, gated_feedforward
from baselines.layers.backends import backend_functions
from baselines.layers.convolved_mixer import convolve_causally
from baselines.layers.elementwise import gelu, gelu_tanh
from baselines.layers.fusing import in_float32

# Numbers that 16-bit floats hold exactly.
KERNEL, BIAS = np.arange(-16, 16).reshape(4, 8) / 16, np.arange(8) / 8
FUNCTIONS = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "gate": gated_feedforward._gate,
    "delta gate": lambda x: gated_delta_mixer._gate(x, x),
    "convolution": lambda x: convolve_causally(x, ops.cast(KERNEL, "float32"), BIAS),
    "convolution without bias": lambda x: convolve_causally(x, ops.cast(KERNEL, "float32")),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_result_has_the_dtype_of_the_first_input(name):
    found = FUNCTIONS[name](ops.ones((2, 19, 8), "bfloat16"))
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"


@pytest.mark.skipif(not backend_functions().FUSES, reason="this backend compiles no kernels")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_16_bit_floats_are_rounded_once(name):
    inputs = ops.cast(np.random.default_rng(0).normal(size=(2, 19, 8)), "bfloat16")
    found = FUNCTIONS[name](inputs)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    wide = FUNCTIONS[name](ops.cast(inputs, "float32"))
    expected = ops.cast(ops.cast(wide, "bfloat16"), "float32")
    np.testing.assert_array_equal(ops.cast(found, "float32"), expected)


DTYPES = ["float32", *(["float64"] if keras.backend.backend() != "jax" else [])]
"""Wider floats; JAX has no float64 by default."""


@pytest.mark.parametrize("dtype", DTYPES)
def test_wider_floats_keep_their_precision(dtype):
    inputs = ops.cast(1 / 3, dtype), ops.cast(1e-4, dtype)
    found = in_float32(lambda x, y: x + y)(*inputs)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    assert float(found) == float(inputs[0] + inputs[1])
