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
from suite.worker.conformance.gradients import differentiate, run
from tests.builders.published import TOLERANCE, cases, require

BATCH, HEADS, LENGTH, SIZE, VALUES = 2, 3, 37, 5, 7


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
        require(case, name, causal=False)
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


def step(query, key, value, log_decay, state, like=ops):
    """Return the output of one position and the state after it: the recurrence as defined.

    Shapes: query and key (batch, heads, d), value (batch, heads, v), log_decay (batch, heads) or
    None, state (batch, heads, d, v). Time O(d · v).
    """
    if log_decay is not None:
        state = state * like.exp(log_decay)[..., None, None]
    state = state + key[..., :, None] * value[..., None, :]
    return like.einsum("bhd,bhdv->bhv", query, state), state


def recurrence(query, key, value, log_decay, state, like=ops):
    """Return the outputs and the last state, position by position; `like` is `ops` or `numpy`."""
    outputs = []
    for place in range(LENGTH):
        decay = None if log_decay is None else log_decay[:, :, place]
        one = query[:, :, place], key[:, :, place], value[:, :, place]
        output, state = step(*one, decay, state, like)
        outputs.append(output)
    return like.stack(outputs, axis=2), state


@pytest.mark.parametrize("strongest", [300.0, np.inf])
def test_weak_decays_after_strong_ones_are_exact(strongest):
    query, key, value, log_decay, state = random_parts(decays=True)
    log_decay = ops.convert_to_numpy(log_decay).copy()
    log_decay[:, :, [0, 3, 17, 18]] = -strongest
    parts = query, key, value, ops.convert_to_tensor(log_decay), state
    for found, expected in zip(scan_in_chunks(*parts, 11), recurrence(*parts), strict=True):
        found, expected = map(ops.convert_to_numpy, (found, expected))
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_features_of_long_keys_estimate_the_same_sums(scale, causal):
    """The oracle adds logarithms in float64, so it needs no stabiliser."""
    size = 256
    keras.utils.set_random_seed(0)
    layer = RandomFeatureAttention(2, causal, features=64, chunk_length=8)
    width = 2 * size
    layer.build((None, None, width))
    layer.key.kernel.assign(scale * np.eye(width))
    states = np.random.default_rng(0).normal(size=(1, LENGTH, width)).astype("float32")
    rows = ops.convert_to_numpy(layer.rows).astype("float64")

    def by_head(projection):
        projected = ops.convert_to_numpy(projection(states)).astype("float64")
        return projected.reshape(LENGTH, 2, size).transpose(1, 0, 2)

    def exponents(vectors):
        vectors = vectors * size**-0.25
        return vectors @ rows.T - (vectors**2).sum(axis=-1, keepdims=True) / 2

    query, key = exponents(by_head(layer.query)), exponents(by_head(layer.key))
    logarithms = np.logaddexp.reduce(query[:, :, None] + key[:, None], axis=-1)
    if causal:
        logarithms[:, ~np.tril(np.ones((LENGTH, LENGTH), bool))] = -np.inf
    weights = np.exp(logarithms - logarithms.max(axis=-1, keepdims=True))
    mixed = weights / weights.sum(axis=-1, keepdims=True) @ by_head(layer.value)
    mixed = mixed.transpose(1, 0, 2).reshape(1, LENGTH, width).astype("float32")
    expected = ops.convert_to_numpy(layer.output_projection(mixed))
    found = ops.convert_to_numpy(layer(states))
    np.testing.assert_allclose(found, expected, atol=2e-4, rtol=2e-3)


@pytest.mark.parametrize("causal", [False, True])
def test_long_queries_and_keys_give_finite_outputs_and_gradients_that_are_not_zero(causal):
    size = 256
    layer = RandomFeatureAttention(1, causal, features=32)
    states = 20 * np.random.default_rng(0).normal(size=(2, LENGTH, size)).astype("float32")
    mask = np.arange(LENGTH)[None] < np.array([[LENGTH], [20]])
    mask[1, :3] = False
    layer.build(states.shape)
    for projection in (layer.query, layer.key):
        projection.kernel.assign(np.eye(size))
    found = ops.convert_to_numpy(layer(states, padding_mask=mask))
    assert np.isfinite(found).all() and (np.abs(found[mask]).max(axis=-1) > 0).all()
    _, gradients = differentiate(lambda given: ops.sum(layer(given) ** 2), [states])
    assert all(np.isfinite(part).all() and np.abs(part).max() > 0 for part in gradients)


def test_no_later_key_changes_the_scale_of_an_output():
    layer = RandomFeatureAttention(2, causal=True, features=16, chunk_length=8)
    states = np.random.default_rng(0).normal(size=(1, LENGTH, 16)).astype("float32")
    first = ops.convert_to_numpy(layer(states))
    states[:, 20:] *= 30.0
    found = ops.convert_to_numpy(layer(states))
    np.testing.assert_allclose(found[:, :20], first[:, :20], atol=1e-6)


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


def test_strong_decays_lose_no_precision_and_give_finite_gradients():
    """A sum of strong decays would round away the weak ones among them."""
    query, key, value, log_decay, state = map(ops.convert_to_numpy, random_parts(True))
    log_decay = log_decay * np.where(np.arange(LENGTH) % 2, 0.3, 300.0).astype("float32")
    parts = [query, key, value, log_decay, state]
    scan = lambda *given: scan_in_chunks(*given, 11)[0]  # noqa: E731
    exact = recurrence(*(part.astype("float64") for part in parts), np)[0]
    np.testing.assert_allclose(run(scan, *parts), exact, atol=1e-5)
    _, gradients = differentiate(lambda *given: ops.sum(scan(*given) ** 2), parts)
    assert all(np.isfinite(part).all() for part in gradients)


def test_a_large_key_does_not_reach_earlier_positions():
    """Nor does its rounding: the state before a chunk is no difference of later states."""
    query, key, value, _, _ = map(ops.convert_to_numpy, random_parts(False))
    larger = key * np.where(np.arange(LENGTH) == 30, 1e9, 1.0).astype("float32")[:, None]
    scan = lambda *given: scan_in_chunks(*given, chunk_length=11)[0]  # noqa: E731
    found, expected = (run(scan, query, keys, value)[:, :, :30] for keys in (larger, key))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_row_without_a_real_key_is_zero():
    query, _, value, _, _ = random_parts(False)
    found = attend_by_features(ops.exp(query), ops.zeros_like(query), value, False)
    assert not ops.convert_to_numpy(found).any()


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
