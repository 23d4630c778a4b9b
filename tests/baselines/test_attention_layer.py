"""Options of the attention layer: position schemes, shared heads, windows, decoding, dropout."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.attention import attention
from baselines.layers.attention_positions import (
    ALiBiPositions,
    BucketedPositions,
    RotaryPositions,
    alibi_slopes,
)
from baselines.layers.full_attention import FullAttention, merge_heads
from baselines.layers.transformer_layer import TransformerLayer
from suite.worker.conformance.gradients import run

BATCH, LENGTH, WIDTH, HEADS = 2, 17, 24, 6
SCHEMES = {
    "none": lambda: None,
    "rotary": RotaryPositions,
    "alibi": ALiBiPositions,
    "buckets": lambda: BucketedPositions(8, 10, bidirectional=False),
}


def make(**options) -> FullAttention:
    keras.utils.set_random_seed(2)
    layer = FullAttention(HEADS, **options)
    layer.build((None, None, WIDTH))
    return layer


def hidden_states(seed: int = 0) -> np.ndarray:
    shape = (BATCH, LENGTH, WIDTH)
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_alibi_is_a_bias_of_the_scores():
    states = hidden_states()
    padding = np.arange(LENGTH)[None, :] < np.array([[LENGTH], [9]])
    layer, plain = make(positions=ALiBiPositions()), make()
    distances = np.abs(np.arange(LENGTH)[:, None] - np.arange(LENGTH)[None, :])
    bias = -alibi_slopes(HEADS)[:, None, None] * distances

    def definition(states, padding):
        mixed = attention(
            *plain._by_head(*plain._project(states, states)),
            bias=ops.convert_to_tensor(bias[None].astype("float32")),
            padding_mask=padding,
        )
        return plain.output_projection(merge_heads(mixed))

    np.testing.assert_allclose(
        run(layer, states, padding), run(definition, states, padding), atol=1e-5
    )


def test_unscaled_scores_start_as_large_as_scaled_ones():
    scaled, unscaled = (make(head_size=16, scaled=scaled) for scaled in (True, False))
    ratio = np.std(scaled.query.get_weights()[0]) / np.std(unscaled.query.get_weights()[0])
    assert ratio == pytest.approx(4, rel=0.02)
    assert scaled.query.kernel.shape == (WIDTH, HEADS * 16)
    assert scaled.output_projection.kernel.shape == (HEADS * 16, WIDTH)


def test_dropout_acts_in_training_within_a_transformer_layer():
    keras.utils.set_random_seed(2)
    mixer = FullAttention(HEADS, dropout=0.5, seed=3)
    layer, states = TransformerLayer(mixer, 8, dropout=0.0), hidden_states()
    still = [ops.convert_to_numpy(layer(states, training=False)) for _ in range(2)]
    moving = [ops.convert_to_numpy(layer(states, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    assert np.abs(moving[0] - moving[1]).max() > 0.01
    assert np.abs(moving[0] - still[0]).max() > 0.01


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_layer_is_rebuilt_from_its_configuration(scheme):
    layer = make(
        positions=SCHEMES[scheme](), causal=True, num_key_value_heads=3, window=4, use_bias=False
    )
    again = FullAttention.from_config(layer.get_config())
    again.build((None, None, WIDTH))
    for weight, other in zip(layer.weights, again.weights, strict=True):
        other.assign(weight)
    states = hidden_states()
    np.testing.assert_array_equal(run(layer, states), run(again, states))
