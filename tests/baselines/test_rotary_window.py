"""Rotary positions inside sliding windows: equal to full attention with the same window."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.attention_positions import RotaryPositions
from baselines.layers.full_attention import FullAttention
from baselines.layers.sliding_window_attention import SlidingWindowAttention

PROJECTIONS = ("query", "key", "value", "output_projection")


def make_pair(window, causal):
    """Return windowed and full attention with rotary positions and equal weights, and inputs."""
    keras.utils.set_random_seed(3)
    windowed = SlidingWindowAttention(2, window, causal=causal, positions=RotaryPositions())
    # A position of a window w sees w / 2 positions on a side; full attention counts itself too.
    full = FullAttention(2, causal, window=window // 2 + 1, positions=RotaryPositions())
    inputs = np.random.default_rng(0).normal(size=(2, 23, 12)).astype("float32")
    windowed.build(inputs.shape)
    full.build(inputs.shape)
    for name in PROJECTIONS:
        getattr(full, name).set_weights(getattr(windowed, name).get_weights())
    return windowed, full, inputs


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [4, 46])
def test_a_rotary_window_equals_full_attention_with_this_window(window, causal):
    windowed, full, inputs = make_pair(window, causal)
    np.testing.assert_allclose(
        ops.convert_to_numpy(windowed(inputs)), ops.convert_to_numpy(full(inputs)), atol=2e-6
    )
