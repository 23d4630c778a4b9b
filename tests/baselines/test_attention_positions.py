"""Position schemes of attention against NumPy, and the sizes that they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from keras import ops

from baselines.layers.attention_positions import (
    ALiBiPositions,
    RotaryPositions,
    alibi_slopes,
    bucket_of,
)
from suite.worker.conformance.gradients import differentiate, run


def rotated(states: np.ndarray, base: float, start: int) -> np.ndarray:
    """Return states (n, d), rotated as complex numbers."""
    length, size = states.shape
    pairs = states[:, : size // 2] + 1j * states[:, size // 2 :]
    places = start + np.arange(length)[:, None]
    turned = pairs * np.exp(1j * places * base ** (-2 * np.arange(size // 2) / size))
    return np.concatenate([turned.real, turned.imag], axis=1)


@pytest.mark.parametrize(("base", "start"), [(10_000.0, 0), (500.0, 23)])
def test_rotary_positions_turn_pairs_of_channels(base, start):
    states = np.random.default_rng(0).normal(size=(2, 3, 13, 10)).astype("float32")
    positions = RotaryPositions(base)
    positions.build(states.shape)
    found = run(lambda states: positions.rotate(states, start), states)
    for example in range(2):
        for head in range(3):
            expected = rotated(states[example, head], base, start)
            np.testing.assert_allclose(found[example, head], expected, atol=1e-5)


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
