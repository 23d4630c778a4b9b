"""Position schemes of attention against NumPy; rotary extensions against published frequencies."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.attention import attention
from baselines.layers.attention_positions import (
    ALiBiPositions,
    RotaryPositions,
    alibi_slopes,
    bucket_of,
)
from baselines.layers.full_attention import FullAttention, merge_heads
from baselines.layers.rotary_extension import ExtendedRotaryPositions
from suite.api import Form, Inputs
from suite.worker.conformance.decoding import decode_in_steps
from suite.worker.conformance.gradients import differentiate, run
from suite.worker.conformance.subjects import Subject, request_for
from tests.architectures import ARCHITECTURES


def rotated(states: np.ndarray, base: float, start: int) -> np.ndarray:
    """Return states (n, d), rotated as complex numbers."""
    length, size = states.shape
    pairs = states[:, : size // 2] + 1j * states[:, size // 2 :]
    places = start + np.arange(length)[:, None]
    turned = pairs * np.exp(1j * places * base ** (-2 * np.arange(size // 2) / size))
    return np.concatenate([turned.real, turned.imag], axis=1)


def test_the_gradient_of_a_rotation_is_the_opposite_rotation():
    generator = np.random.default_rng(0)
    states, aim = generator.normal(size=(2, 1, 1, 7, 6)).astype("float32")
    positions = RotaryPositions()
    positions.build(states.shape)

    def loss(states):
        return ops.sum(positions.rotate(states, 3) * ops.convert_to_tensor(aim))

    _, (found,) = differentiate(loss, [states])
    turned = rotated(states[0, 0], 10_000.0, 3) * aim[0, 0]
    assert (found * states).sum() == pytest.approx(turned.sum(), abs=1e-4)
    np.testing.assert_allclose(
        rotated(found[0, 0], 10_000.0, 3), aim[0, 0], atol=1e-5, err_msg="rotating back"
    )


def test_the_slopes_are_those_of_the_paper():
    np.testing.assert_allclose(alibi_slopes(8), 2.0 ** -np.arange(1, 9))
    np.testing.assert_allclose(alibi_slopes(6), [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3])


def test_alibi_subtracts_the_distance():
    positions = ALiBiPositions()
    positions.build((None, 4, None, 8))
    found = ops.convert_to_numpy(positions.bias(-5, 8))
    expected = -alibi_slopes(4)[:, None] * np.abs(np.arange(-5, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_alibi_is_a_bias_of_the_scores_of_a_layer():
    length, width, heads = 17, 24, 6
    states = np.random.default_rng(0).normal(size=(2, length, width)).astype("float32")
    padding = np.arange(length)[None, :] < np.array([[length], [9]])
    layer, plain = FullAttention(heads, positions=ALiBiPositions()), FullAttention(heads)
    for built in (layer, plain):
        built.build(states.shape)
    for ours, theirs in zip(layer.weights, plain.weights, strict=True):
        theirs.assign(ours)
    distances = np.abs(np.arange(length)[:, None] - np.arange(length)[None, :])
    bias = -alibi_slopes(heads)[:, None, None] * distances

    def definition(states, padding):
        mixed = attention(
            *plain._by_head(*plain._project(states, states)),
            bias=ops.convert_to_tensor(bias[None].astype("float32")),
            padding_mask=padding,
        )
        return plain.output_projection(merge_heads(mixed))

    found, expected = (run(each, states, padding) for each in (layer, definition))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def bucket(distance: int, num_buckets: int, max_distance: int, bidirectional: bool) -> int:
    """Return the bucket of one distance, from the paper's description."""
    first = 0
    if bidirectional:
        num_buckets //= 2
        first = num_buckets if distance > 0 else 0
        away = abs(distance)
    else:
        away = max(-distance, 0)
    exact = num_buckets // 2
    if away < exact:
        return first + away
    share = math.log(away / exact) / math.log(max_distance / exact)
    return first + min(num_buckets - 1, exact + int(share * (num_buckets - exact) + 1e-6))


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (8, 20), (4, 7)])
def test_buckets_grow_logarithmically(num_buckets, max_distance, bidirectional):
    distances = np.arange(-150, 151)
    expected = [bucket(int(d), num_buckets, max_distance, bidirectional) for d in distances]
    found = bucket_of(distances, num_buckets, max_distance, bidirectional)
    np.testing.assert_array_equal(found, expected)
    assert found.max() == (num_buckets - 1)


# Values of transformers 5.23.0, modeling_rope_utils.py: `_compute_dynamic_ntk_parameters` and
# `_compute_yarn_parameters`. They are the head size, the base, the original length, the factor and
# the length of the sequence, then the inverse frequencies and the attention factor.
PUBLISHED = [
    (
        ("ntk", 8, 10_000.0, 16, 4.0, 64),
        [1.0, 0.04252903535962105, 0.0018087188946083188, 7.69230755395256e-05],
        1.0,
    ),
    (
        ("ntk", 10, 500.0, 19, 2.5, 40),
        [1.0, 0.20716571807861328, 0.042917635291814804, 0.008891060948371887, 0.00184191933833],
        1.0,
    ),
    (
        ("yarn", 8, 500.0, 19, 2.5, 40),
        [1.0, 0.08458969742059708, 0.017888544127345085, 0.003782966174185276],
        1.0916290731874154,
    ),
    (
        ("yarn", 16, 10_000.0, 512, 4.0, 600),
        [1.0, 0.25693506, 0.0625, 0.013834965, 0.0025, 0.00079056947, 0.00025, 7.9056947e-05],
        1.138629436111989,
    ),
]
TRAINED, LONGER = 11, 29


@pytest.mark.parametrize("is_traced", [False, True])
@pytest.mark.parametrize(("case", "frequencies", "magnitude"), PUBLISHED)
def test_long_sequences_turn_by_the_published_frequencies(case, frequencies, magnitude, is_traced):
    extension, size, base, max_length, factor, length = case
    positions = ExtendedRotaryPositions(max_length, extension, factor, base)
    states = np.random.default_rng(0).normal(size=(1, 2, 5, size)).astype("float32")
    positions.build(states.shape)
    if is_traced:
        found = run(lambda *given: positions.rotate(*given), states, np.int32(30), np.int32(length))
    else:
        found = run(lambda states: positions.rotate(states, 30, length), states)
    turned = np.exp(1j * (30 + np.arange(5))[:, None] * np.array(frequencies))
    pairs = magnitude * turned * (states[..., : size // 2] + 1j * states[..., size // 2 :])
    expected = np.concatenate([pairs.real, pairs.imag], axis=-1)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("is_traced", [False, True])
@pytest.mark.parametrize("extension", ["ntk", "yarn"])
def test_sequences_of_the_training_length_turn_as_without_an_extension(extension, is_traced):
    states = np.random.default_rng(0).normal(size=(1, 2, 16, 8)).astype("float32")
    extended, plain = ExtendedRotaryPositions(16, extension, 4.0), RotaryPositions()
    for positions in (extended, plain):
        positions.build(states.shape)
    given = (states, np.int32(0), np.int32(16)) if is_traced else (states,)
    found = run(lambda *given: extended.rotate(*given), *given)
    np.testing.assert_allclose(found, run(plain.rotate, states), atol=1e-6)


def subject_with(name, extension, length=TRAINED, **options):
    architecture = ARCHITECTURES[name]
    options = {**architecture.options, **options, "rotary_extension": extension}
    if name == "vanilla":
        options["positions"] = "rotary"
    request = request_for(
        architecture, Inputs.TOKEN_IDS, form=Form.DECODER, options=options, sequence_length=length
    )
    return Subject(architecture, request)


@pytest.mark.parametrize(("name", "extension"), [("llama", "yarn"), ("vanilla", "ntk")])
def test_an_extension_acts_beyond_the_training_length_alone(name, extension):
    extended, plain = (subject_with(name, kind) for kind in (extension, "none"))
    short, long = (plain.values(2, length=length) for length in (TRAINED, LONGER))
    np.testing.assert_array_equal(extended.decode(short), plain.decode(short))
    assert np.abs(extended.decode(long) - plain.decode(long)).max() > 1e-2


@pytest.mark.parametrize(("name", "extension"), [("llama", "ntk"), ("vanilla", "yarn")])
def test_decoding_in_steps_has_the_positions_of_its_whole_state(name, extension):
    subject = subject_with(name, extension)
    subject.length = LONGER
    target = subject.values(2)
    found = decode_in_steps(subject, target, [3, 4, 5, 12, 13, LONGER])
    np.testing.assert_allclose(found, subject.decode(target), atol=1e-4)


def test_a_model_of_unknown_length_extends_what_is_long():
    positions = ExtendedRotaryPositions(TRAINED, "yarn", 4.0)
    inputs = keras.Input((None, 8))
    positions.build((None, 1, None, 8))
    model = keras.Model(inputs, _Rotate(positions)(inputs))
    for length in (TRAINED, LONGER):
        states = np.random.default_rng(length).normal(size=(2, length, 8)).astype("float32")
        expected = ops.convert_to_numpy(positions.rotate(states[:, None]))[:, 0]
        np.testing.assert_allclose(model.predict(states, verbose=0), expected, atol=1e-5)


class _Rotate(keras.layers.Layer):
    def __init__(self, positions):
        super().__init__()
        self.positions = positions

    def call(self, states):
        return self.positions.rotate(states[:, None])[:, 0]
