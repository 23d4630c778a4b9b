"""A masked key has no weight, whatever the scores are, and a row without a key stays finite."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.attention import attention
from baselines.layers.block_sparse_attention import BlockSparseAttention
from baselines.layers.full_attention import FullAttention
from baselines.layers.lsh_attention import LSHAttention
from baselines.layers.masked_scores import softmax
from baselines.layers.relative_attention import RelativeAttention
from baselines.layers.sliding_window_attention import SlidingWindowAttention

LENGTH, REAL, WIDTH = 40, 25, 16
MIXERS = {
    "full": lambda: FullAttention(2),
    "full_at_once": lambda: FullAttention(2, block_bytes=None),
    "causal": lambda: FullAttention(2, causal=True),
    "window": lambda: FullAttention(2, causal=True, window=5, num_sinks=2),
    "wide_window": lambda: FullAttention(2, window=5),
    "sliding": lambda: SlidingWindowAttention(2, 8),
    "causal_sliding": lambda: SlidingWindowAttention(2, 8, causal=True, dilation=2),
    "global": lambda: SlidingWindowAttention(2, 8, max_global_tokens=2),
    "blocks": lambda: BlockSparseAttention(2, block_size=4, num_random_blocks=0),
    "full_blocks": lambda: BlockSparseAttention(2, block_size=16),
    "hashed": lambda: LSHAttention(2, 8, num_hashes=2, num_buckets=2),
    "one_chunk": lambda: LSHAttention(2, LENGTH, num_hashes=2, num_buckets=2),
    "relative": lambda: RelativeAttention(2, False, 8, 8),
    "causal_relative": lambda: RelativeAttention(2, True, 8, 8),
}


def inputs(scale, dtype):
    values = scale * np.random.default_rng(0).normal(size=(2, LENGTH, WIDTH))
    return values.astype(dtype)


def given(name, mask):
    marks = np.zeros_like(mask)
    marks[:, [3, 30]] = True
    return {"padding_mask": mask} | ({"global_mask": marks} if name == "global" else {})


@pytest.mark.parametrize("name", MIXERS)
def test_a_padded_key_has_no_weight_however_large_its_score_is(name):
    layer, states = MIXERS[name](), inputs(1e6, "float32")
    mask = np.broadcast_to(np.arange(LENGTH) < REAL, (2, LENGTH))
    first = ops.convert_to_numpy(layer(states, **given(name, mask)))[:, :REAL]
    states[:, REAL:] *= -3.0
    second = ops.convert_to_numpy(layer(states, **given(name, mask)))[:, :REAL]
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["causal", "window", "causal_sliding", "causal_relative"])
def test_a_later_key_has_no_weight_however_large_its_score_is(name):
    layer, states = MIXERS[name](), inputs(400.0, "float32")
    first = ops.convert_to_numpy(layer(states))[:, :REAL]
    states[:, REAL:] *= -3.0
    np.testing.assert_array_equal(first, ops.convert_to_numpy(layer(states))[:, :REAL])


@pytest.mark.parametrize("name", ["causal", "window", "causal_sliding"])
def test_an_empty_place_of_a_state_has_no_weight_however_large_scores_are(name):
    """All scores are far below 0, and keys at empty places are zeros."""
    layer, states = MIXERS[name](), inputs(1.0, "float32")
    states[:] = states[:, :1]
    layer.build(states.shape)
    size = np.eye(WIDTH, dtype="float32") * 1e4
    layer.query.kernel.assign(size)
    layer.key.kernel.assign(-size)
    whole = ops.convert_to_numpy(layer(states))
    state = layer.init_state(2, LENGTH)
    for place in range(4):
        found, state = layer.decode_step(states[:, place : place + 1], state, place)
        found = ops.convert_to_numpy(found)
        np.testing.assert_allclose(found[:, 0], whole[:, place], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", MIXERS)
def test_rows_without_a_key_stay_finite(name):
    layer, states = MIXERS[name](), ops.cast(inputs(4.0, "float32"), "float16")
    mask = np.zeros((2, LENGTH), bool)
    mask[1, 12:REAL] = True
    mixed = layer(states, **given(name, mask))
    assert np.isfinite(ops.convert_to_numpy(ops.cast(mixed, "float32"))).all()


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"causal": True, "window": 9}])
@pytest.mark.parametrize("block_bytes", [None, 2**12, 2**24])
def test_biases_cannot_lift_a_masked_key(options, block_bytes):
    """On each backend, in blocks and at once."""
    keras.utils.set_random_seed(0)
    query, key, value = (keras.random.normal((2, 2, LENGTH, 8)) for _ in range(3))
    mask = np.broadcast_to(np.arange(LENGTH) < REAL, (2, LENGTH))
    found = []
    for padded in (0.0, 1e30):
        bias = np.where(np.arange(LENGTH) < REAL, 1.0, padded).astype("float32")
        found.append(
            attention(
                query,
                key,
                value,
                padding_mask=mask,
                bias=ops.convert_to_tensor(bias[None, None, None]),
                block_bytes=block_bytes,
                **options,
            )[:, :, :REAL]
        )
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, found))


def test_more_weights_than_float16_can_add_have_the_sum_one():
    weights = softmax(ops.zeros((1, 70_000), "float16"))
    total = ops.convert_to_numpy(ops.sum(ops.cast(weights, "float32")))
    np.testing.assert_allclose(total, 1.0, rtol=2e-2)
