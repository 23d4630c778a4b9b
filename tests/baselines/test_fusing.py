"""Functions of 16-bit floats that are computed in float32 and rounded once."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers import gated_delta_mixer, gated_feedforward
from baselines.layers.backends import backend_functions
from baselines.layers.elementwise import LayerNorm, RMSNorm, gelu, gelu_tanh
from baselines.layers.fusing import in_float32
from baselines.layers.short_convolution import convolve, convolve_with_silu

# Numbers that 16-bit floats hold exactly.
KERNEL, BIAS = np.arange(-16, 16).reshape(4, 8) / 16, np.arange(8) / 8
FUNCTIONS = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "gate": gated_feedforward._gate("silu"),
    "delta gate": lambda x: gated_delta_mixer._gate(x, x),
    "convolution": lambda x: convolve(x, ops.cast(KERNEL, "float32")),
    "convolution with SiLU": lambda x: convolve_with_silu(x, ops.cast(KERNEL, "float32"), BIAS),
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


GAMMA, BETA = np.linspace(0.5, 1.5, 8), np.linspace(-1, 1, 8)


def layer_norm(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * GAMMA + BETA


def rms_norm(x, num_groups=1):
    grouped = x.reshape(*x.shape[:-1], num_groups, -1)
    normalized = grouped / np.sqrt((grouped**2).mean(-1, keepdims=True) + 1e-6)
    return normalized.reshape(x.shape) * GAMMA


FORMULAS = {
    "layer": (lambda: LayerNorm(epsilon=1e-6), layer_norm),
    "rms": (RMSNorm, rms_norm),
    "rms of two groups": (lambda: RMSNorm(num_groups=2), lambda x: rms_norm(x, 2)),
    "gelu": (lambda: gelu, lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2),
    "gelu_tanh": (
        lambda: gelu_tanh,
        lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    ),
}
TOLERANCES = {"bfloat16": 2**-7, "float32": 1e-6, "float64": 1e-14}


@pytest.mark.parametrize("dtype", ["bfloat16", *DTYPES])
@pytest.mark.parametrize("name", FORMULAS)
def test_norms_and_activations_compute_their_formula_in_the_precision_of_the_input(name, dtype):
    make, formula = FORMULAS[name]
    function = make()
    inputs = ops.cast(np.random.default_rng(0).normal(size=(3, 19, 8)) * 3 + 1, dtype)
    if isinstance(function, keras.layers.Layer):
        function.dtype_policy = keras.DTypePolicy(dtype)
        function.build(inputs.shape)
        function.set_weights([GAMMA, BETA][: len(function.weights)])
    found = function(inputs)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    expected = formula(np.asarray(ops.convert_to_numpy(inputs), "float64"))
    error = np.abs(np.asarray(ops.convert_to_numpy(found), "float64") - expected)
    is_rounded = keras.backend.backend() == "torch" and isinstance(function, keras.layers.Layer)
    tolerance = max(TOLERANCES[dtype], TOLERANCES["float32"] if is_rounded else 0)
    assert np.max(error / np.maximum(np.abs(expected), 1)) <= tolerance
