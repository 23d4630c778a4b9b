"""Attention by features and by projected keys, and the scan in chunks."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.attention import attend
from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.linear_attention import LinearAttention, attend_by_features
from baselines.layers.projected_attention import LengthProjection
from baselines.layers.random_feature_attention import RandomFeatureAttention
from suite.worker.conformance.gradients import differentiate
from tests.baselines.test_published import TOLERANCE, cases

BATCH, HEADS, LENGTH, SIZE, VALUES = 2, 3, 37, 5, 7
CHUNKS = [1, 4, 11, 64]


def by_head(values):
    return ops.convert_to_tensor(np.transpose(values, (0, 2, 1, 3)).astype("float32"))


def read(case):
    parts = [by_head(case[name]) for name in ("query", "key", "value")]
    return *parts, ops.cast(case["padding_mask"][:, None, :, None], "float32")


@pytest.mark.parametrize("prefix", ["linear_attention_", "performer_"])
@pytest.mark.parametrize("chunk_length", [3, 128])
def test_features_give_the_published_outputs(reference_outputs, prefix, chunk_length):
    for name, case in cases(reference_outputs, prefix):
        query, key, value, real = read(case)
        heads, width = query.shape[1], query.shape[1] * query.shape[-1]
        if "projection" in case:
            layer = RandomFeatureAttention(heads, features=len(case["projection"]))
            layer.build((None, None, width))
            layer.rows.assign(case["projection"])
        else:
            layer = LinearAttention(heads)
        found = attend_by_features(
            layer.query_features(query),
            layer.key_features(key) * real,
            value,
            bool(case["causal"]),
            chunk_length,
        )
        found = np.transpose(ops.convert_to_numpy(found), (0, 2, 1, 3))
        np.testing.assert_allclose(found, case["outputs"], atol=TOLERANCE, err_msg=name)


def test_linformer_gives_the_published_outputs(reference_outputs):
    for name, case in cases(reference_outputs, "linformer_"):
        query, key, value, real = read(case)
        projected = []
        for part, kernel in ((key, "key_projection"), (value, "value_projection")):
            count, length = case[kernel].shape
            layer = LengthProjection(length, count)
            layer.build((None, length, 1))
            layer.kernel.assign(case[kernel].T)
            flat = ops.reshape(part * real, (-1, length, part.shape[-1]))
            shape = (*part.shape[:2], count, part.shape[-1])
            projected.append(ops.reshape(layer(flat), shape))
        found = attend(query * query.shape[-1] ** -0.5, *projected)
        found = np.transpose(ops.convert_to_numpy(found), (0, 2, 1, 3))
        np.testing.assert_allclose(found, case["outputs"], atol=TOLERANCE, err_msg=name)


def random_parts(decays: bool):
    """Return queries, keys, values, logarithms of decays (or None), and an initial state."""
    generator = np.random.default_rng(0)
    shape = (BATCH, HEADS, LENGTH)
    query, key, value = (generator.normal(size=(*shape, n)) for n in (SIZE, SIZE, VALUES))
    log_decay = -generator.exponential(size=shape) if decays else None
    state = generator.normal(size=(BATCH, HEADS, SIZE, VALUES))
    parts = (query, key, value, log_decay, state)
    return [
        None if part is None else ops.convert_to_tensor(part.astype("float32")) for part in parts
    ]


def step(query, key, value, log_decay, state):
    """Return the output of one position and the state after it: the recurrence as defined.

    Shapes: query and key (batch, heads, d), value (batch, heads, v), log_decay (batch, heads) or
    None, state (batch, heads, d, v). Time O(d · v).
    """
    if log_decay is not None:
        state = state * ops.exp(log_decay)[..., None, None]
    state = state + key[..., :, None] * value[..., None, :]
    return ops.einsum("bhd,bhdv->bhv", query, state), state


def recurrence(query, key, value, log_decay, state):
    """Return the outputs and the last state, position by position."""
    outputs = []
    for place in range(LENGTH):
        decay = None if log_decay is None else log_decay[:, :, place]
        one = query[:, :, place], key[:, :, place], value[:, :, place]
        output, state = step(*one, decay, state)
        outputs.append(output)
    return ops.stack(outputs, axis=2), state


@pytest.mark.parametrize("decays", [False, True])
@pytest.mark.parametrize("chunk_length", CHUNKS)
def test_chunks_equal_the_recurrence(decays, chunk_length):
    parts = random_parts(decays)
    for found, expected in zip(
        scan_in_chunks(*parts, chunk_length), recurrence(*parts), strict=True
    ):
        found, expected = map(ops.convert_to_numpy, (found, expected))
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("decays", [False, True])
def test_the_gradients_of_chunks_equal_those_of_the_recurrence(decays):
    parts = random_parts(decays)
    weights = ops.convert_to_tensor(
        np.random.default_rng(1).normal(size=(BATCH, HEADS, LENGTH, VALUES)).astype("float32")
    )
    given = [part for part in parts if part is not None]

    def gradients(scan):
        def loss(*inputs):
            values = iter(inputs)
            filled = [None if part is None else next(values) for part in parts]
            outputs, last = scan(*filled)
            return ops.sum(outputs * weights) + ops.sum(last**2)

        return differentiate(loss, given)[1]

    for found, expected in zip(
        gradients(lambda *filled: scan_in_chunks(*filled, 11)), gradients(recurrence), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=2e-4, rtol=1e-4)


def test_random_features_estimate_the_softmax():
    keras.utils.set_random_seed(0)
    layer = RandomFeatureAttention(1, features=1024)
    layer.build((None, None, 16))
    query, key, value = (0.5 * keras.random.normal((1, 1, 23, 16), seed=seed) for seed in (1, 2, 3))
    found = attend_by_features(layer.query_features(query), layer.key_features(key), value, False)
    expected = attend(query / 4.0, key, value)
    error = ops.mean(ops.abs(found - expected)) / ops.mean(ops.abs(expected))
    assert float(error) < 0.2
    rows = ops.convert_to_numpy(layer.rows)[:16]
    directions = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(directions @ directions.T, np.eye(16), atol=1e-5)


def test_a_sequence_longer_than_the_projection_is_refused():
    with pytest.raises(ValueError, match="Received: a sequence of 5"):
        LengthProjection(4, 2)(np.zeros((1, 5, 3), "float32"))
