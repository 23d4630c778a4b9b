"""Decays, means over positions and their sums are float32 under every dtype policy."""

from __future__ import annotations

from operator import attrgetter

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.attention_positions import RotaryPositions
from baselines.layers.backbone import Backbone
from baselines.layers.elementwise import LayerNorm, RMSNorm
from baselines.layers.fusing import fused
from baselines.layers.gated_delta_mixer import GatedDeltaMixer
from baselines.layers.gated_linear_attention import GatedLinearAttention
from baselines.layers.gated_linear_recurrence import GatedLinearRecurrence
from baselines.layers.kimi_delta_mixer import KimiDeltaMixer
from baselines.layers.lightweight_convolution import LightweightConvolution
from baselines.layers.linear_attention import LinearAttention
from baselines.layers.matrix_lstm import MatrixLSTM
from baselines.layers.random_feature_attention import RandomFeatureAttention
from baselines.layers.rwkv import TimeMixing
from baselines.layers.selective_state_space import SelectiveStateSpace
from baselines.layers.state_space import StateSpaceMixer, _gate
from baselines.layers.trapezoidal_state_space import TrapezoidalStateSpace
from suite.worker.conformance.gradients import BACKEND
from tasks.common.heads import ExampleHead
from tests.architectures import slow_on_jax_unless

POLICIES = ["mixed_bfloat16", "mixed_float16", "bfloat16", "float16"]
HALVES = ["bfloat16", "float16"]
WIDTH = 32
MIXERS = {
    "state_space": lambda dtype: StateSpaceMixer(4, 8, 8, dtype=dtype),
    "delta": lambda dtype: GatedDeltaMixer(2, 4, 8, 8, dtype=dtype),
    "channel_delta": lambda dtype: KimiDeltaMixer(4, 8, dtype=dtype),
    "selective": lambda dtype: SelectiveStateSpace(32, 8, 4, dtype=dtype),
    "trapezoidal": lambda dtype: TrapezoidalStateSpace(4, 8, 8, 2, rank=2, dtype=dtype),
    "recurrence": lambda dtype: GatedLinearRecurrence(32, 4, dtype=dtype),
    "time_mixing": lambda dtype: TimeMixing(4, 8, dtype=dtype),
    "rms_norm": lambda dtype: RMSNorm(dtype=dtype),
    "layer_norm": lambda dtype: LayerNorm(dtype=dtype),
    "convolution": lambda dtype: LightweightConvolution(4, 7, dtype=dtype),
    "gated_linear": lambda dtype: GatedLinearAttention(4, 16, 32, dtype=dtype),
    "matrix_lstm": lambda dtype: MatrixLSTM(4, 16, 32, dtype=dtype),
    "performer": lambda dtype: RandomFeatureAttention(4, features=16, dtype=dtype),
}
WEIGHTS = [
    ("state_space", "log_rates"),
    ("state_space", "step_bias"),
    ("state_space", "skip_gamma"),
    ("delta", "log_rates"),
    ("delta", "step_bias"),
    *(("channel_delta", name) for name in ("log_rates", "step_bias", "norm.gamma")),
    *(("selective", name) for name in ("log_rates", "step_bias", "skip_gamma")),
    *(("trapezoidal", name) for name in ("step_bias", "skip_gamma", "key_bias", "query_bias")),
    *(("trapezoidal", f"{name}_weights") for name in ("value", "gate", "output")),
    *(("recurrence", name) for name in ("decay_bias", "gate_bias")),
    *(("time_mixing", f"{name}_bias") for name in ("decay", "removal")),
    *(("time_mixing", f"{name}_gamma") for name in ("key", "bonus", "head")),
    ("time_mixing", "head_beta"),
    ("rms_norm", "gamma"),
    ("layer_norm", "gamma"),
    ("convolution", "kernel"),
    ("gated_linear", "decay_projection.bias"),
    ("matrix_lstm", "gate_projection.bias"),
    ("matrix_lstm", "head_gamma"),
    ("performer", "rows"),
]


def wide(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def run(layer, states):
    """Return the outputs of a layer, which are the first of its results if it returns several."""
    outputs = layer(states)
    return wide(outputs[0] if isinstance(outputs, tuple) else outputs)


@pytest.mark.parametrize(
    ("name", "weight", "policy"),
    [
        (*named, policy)
        for policy in POLICIES
        for named in (WEIGHTS if policy == "mixed_bfloat16" else [("state_space", "log_rates")])
    ],
)
def test_a_small_change_of_a_decay_is_kept_and_read(name, weight, policy):
    """The change, 3/1000 of the weight, is less than the rounding of bfloat16."""
    keras.utils.set_random_seed(0)
    layer = MIXERS[name](policy)
    states = np.random.default_rng(0).normal(size=(1, 256, WIDTH)).astype("float32")
    run(layer, states)
    own = attrgetter(weight)(layer)
    assert keras.backend.standardize_dtype(own.dtype) == "float32"
    start = np.asarray(ops.convert_to_numpy(own))
    start = np.copysign(np.maximum(np.abs(start), 1.0), start)  # a number that bfloat16 can hold
    start = wide(ops.cast(start, "bfloat16"))
    own.assign(start)
    first = run(layer, states)
    own.assign(start * 1.003)
    assert np.abs(run(layer, states) - first).max() > 0


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("length", [1_000, 16_384])
def test_the_mean_over_positions_is_summed_in_float32(length, dtype):
    """The sum is beyond the largest number of float16, and the count beyond bfloat16's integers."""
    states = ops.full((1, length, 2), 8.0, dtype)
    mask = np.ones((1, length), bool)
    for given in (ops.convert_to_tensor(mask), None):
        np.testing.assert_array_equal(wide(Backbone().summarize(states, given)), 8.0)
    mask[:, length // 2 :] = False
    half = Backbone().summarize(states, ops.convert_to_tensor(mask))
    np.testing.assert_array_equal(wide(half), 8.0)
    nothing = Backbone().summarize(states, ops.zeros((1, length), "bool"))
    np.testing.assert_array_equal(wide(nothing), 0.0)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_head_of_an_example_sums_positions_in_float32(policy):
    head = ExampleHead(1, dtype=policy)
    states = ops.full((1, 16_384, 2), 8.0, head.compute_dtype)
    features = {"padding_mask": ops.ones((1, 16_384), "bool")}
    head(states, features)
    head.scores.set_weights([np.ones((2, 1)), np.zeros(1)])
    np.testing.assert_array_equal(wide(head(states, features)), 16.0)


@pytest.mark.parametrize("make", [LinearAttention, RandomFeatureAttention])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [slow_on_jax_unless(half == "float16", half) for half in HALVES])
def test_linear_attention_sums_keys_in_float32(make, causal, dtype):
    """All values are equal, so each output equals them, at any length."""
    layer = make(1, causal, dtype=dtype)
    states = ops.full((1, 16_384, 4), 8.0, dtype)
    layer(states)
    for projection in (layer.value, layer.output_projection):
        projection.set_weights([np.eye(4), np.zeros(4)])
    np.testing.assert_array_equal(wide(layer(states)), 8.0)


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch would store the results in float32")
@pytest.mark.parametrize("dtype", HALVES)
def test_rotations_round_once(dtype):
    """Angles are float32, and their sines and cosines are not rounded before the products."""
    layer = RotaryPositions(base=160_000.0, dtype=dtype)
    layer.build((2, 3, 1_000, 8))
    states = np.random.default_rng(0).normal(size=(2, 3, 1_000, 8)).astype("float32")
    states = ops.cast(states, dtype)
    expected = ops.cast(layer.rotate(ops.cast(states, "float32")), dtype)
    np.testing.assert_array_equal(wide(layer.rotate(states)), wide(expected))


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch would store the results in float32")
def test_the_gates_of_mamba2_round_once():
    parts = np.random.default_rng(0).normal(size=(2, 5, 4 * 8)).astype("float32")
    by_head = np.random.default_rng(1).normal(size=(2, 4, 5, 8)).astype("float32")
    gates, skip = ops.cast(parts, "bfloat16"), ops.ones((4,))
    given = ops.convert_to_tensor(by_head), ops.convert_to_tensor(0.1 * by_head), skip
    expected = ops.cast(fused(_gate)(ops.cast(gates, "float32"), *given), "bfloat16")
    np.testing.assert_array_equal(wide(fused(_gate)(gates, *given)), wide(expected))
