"""Short convolutions are the published ones, in a layer, in attention, and step by step."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.attention_positions import RotaryPositions
from baselines.layers.full_attention import FullAttention
from baselines.layers.gated_delta_mixer import GatedDeltaMixer
from baselines.layers.gated_linear_recurrence import GatedLinearRecurrence
from baselines.layers.kimi_delta_mixer import KimiDeltaMixer
from baselines.layers.selective_state_space import SelectiveStateSpace
from baselines.layers.short_convolution import ShortConvolution
from baselines.layers.state_space import StateSpaceMixer

BATCH, LENGTH, WIDTH, HEADS = 2, 11, 12, 3
TOLERANCE = 1e-5
MASK = np.ones((BATCH, LENGTH), bool)
MASK[0, :3] = False  # an example that is padded on the left,
MASK[1, 8:] = False  # and one on the right


def reference(states, kernel, causal):
    """Return the convolution by its definition: a sum over positions for each position."""
    size = len(kernel)
    before = size - 1 if causal else size // 2
    convolved = np.zeros_like(states)
    for position in range(states.shape[1]):
        for tap in range(size):
            place = position - before + tap
            if 0 <= place < states.shape[1]:
                convolved[:, position] += kernel[tap] * states[:, place]
    return convolved


def inputs(width=WIDTH):
    return np.random.default_rng(0).normal(size=(BATCH, LENGTH, width)).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def attention(**options):
    """Return a built attention with rotary positions, whose biases are no zeros."""
    keras.utils.set_random_seed(1)
    layer = FullAttention(HEADS, positions=RotaryPositions(), **options)
    layer.build((BATCH, LENGTH, WIDTH))
    for projection in (layer.query, layer.key, layer.value):
        projection.bias.assign(np.linspace(-1, 1, projection.units))
    return layer


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("size", [1, 3, 4, 13])
def test_the_convolution_is_a_sum_over_positions(size, causal):
    layer, states = ShortConvolution(size, causal=causal), inputs()
    found = array(layer(states, padding_mask=MASK))
    expected = reference(states * MASK[..., None], array(layer.kernel), causal)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("causal", [True, False])
def test_attention_convolves_queries_keys_and_values_before_it_rotates_them(causal):
    layer, states = attention(causal=causal, short_convolution=3), inputs()
    projections = layer.query, layer.key, layer.value
    query, key, value = (
        reference(array(projection(states)) * MASK[..., None], array(convolution.kernel), causal)
        .reshape(BATCH, LENGTH, HEADS, -1)
        .swapaxes(1, 2)
        for projection, convolution in zip(projections, layer.convolutions, strict=True)
    )
    query, key = (array(layer.positions.rotate(ops.convert_to_tensor(x))) for x in (query, key))
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    hidden = ~MASK[:, None, None, :] | (causal & np.triu(np.ones((LENGTH, LENGTH), bool), 1))
    weights = np.exp(np.where(hidden, -np.inf, scores))
    with np.errstate(invalid="ignore"):  # padded positions that see no key
        mixed = weights / weights.sum(axis=-1, keepdims=True) @ value
    expected = array(layer.output_projection(mixed.swapaxes(1, 2).reshape(BATCH, LENGTH, WIDTH)))
    found = array(layer(states, padding_mask=MASK))
    np.testing.assert_allclose(found[MASK], expected[MASK], atol=TOLERANCE)


def test_a_removed_head_takes_the_channels_of_its_convolutions():
    layer, states = attention(causal=True, short_convolution=3), inputs()
    output = layer.output_projection.kernel
    output.assign(array(output) * (np.arange(WIDTH) >= WIDTH // HEADS)[:, None])
    expected = array(layer(states))
    layer.remove_heads([0])
    assert [convolution.channels for convolution in layer.convolutions] == [8, 8, 8]
    np.testing.assert_allclose(array(layer(states)), expected, atol=TOLERANCE)
    state = layer.init_state(BATCH, LENGTH)
    assert state[2].shape == (BATCH, 2, 8)


def test_a_kernel_size_of_0_is_no_convolution():
    assert not attention(causal=True).convolutions
    states, layer = inputs(), ShortConvolution(0, silu=True, use_bias=True)
    np.testing.assert_allclose(array(layer(states)), array(ops.silu(states)), atol=TOLERANCE)
    assert not layer.weights


def test_one_tap_is_a_weight_of_each_channel():
    states, layer = inputs(), ShortConvolution(1, silu=True, use_bias=True)
    layer.build(states.shape)
    kernel, bias = np.linspace(-1, 1, WIDTH), np.linspace(2, 1, WIDTH)
    layer.kernel.assign(kernel[None])
    layer.bias.assign(bias)
    expected = array(ops.silu(states * kernel.astype("float32") + bias.astype("float32")))
    np.testing.assert_allclose(array(layer(states)), expected, atol=TOLERANCE)
    assert len(attention(causal=True, short_convolution=1).convolutions) == 3


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize(
    "make",
    [
        partial(StateSpaceMixer, 2, 6, 4),
        partial(GatedDeltaMixer, 1, 2, 4, 6),
        partial(SelectiveStateSpace, 12, 4, 2),
        partial(KimiDeltaMixer, 2, 4),
        partial(GatedLinearRecurrence, 12, 2),
    ],
)
def test_a_mixer_with_at_most_one_tap_sees_no_neighbours_but_by_its_state(make, size):
    layer, states = make(short_convolution=size), inputs()
    found = array(layer(states))
    assert len(layer.convolution.weights) == (size and 1 + layer.convolution.use_bias)
    state = layer.init_state(BATCH, LENGTH)
    assert 0 in state[0].shape
    parts = []
    for position in range(3):
        newest = ops.convert_to_tensor(states[:, position : position + 1])
        output, state = layer.decode_step(newest, state, position)
        parts.append(array(output))
    np.testing.assert_allclose(np.concatenate(parts, axis=1), found[:, :3], atol=TOLERANCE)
