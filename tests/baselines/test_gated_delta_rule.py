"""The gated delta rule in chunks, against the recurrence as defined, and its mixer."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.delta_rule import scan_delta_rule
from baselines.layers.gated_delta_mixer import GatedDeltaMixer
from suite.api import Inputs
from suite.records.model_sizes import MODEL_SIZES
from suite.worker.conformance.gradients import BACKEND, differentiate, run
from suite.worker.conformance.subjects import request_for
from tests.architectures import ARCHITECTURES, slow_on_jax_unless
from tests.builders.published import assign_convolution, cases, compare
from tests.builders.steps import decode_parts

BATCH, GROUPS, HEADS, LENGTH, SIZE, VALUES = 2, 2, 4, 37, 5, 7
WIDTH = 12
PUBLISHED_TOLERANCE = 3e-4
"""The published outputs reach 5, and are 1e-4 from their derivation."""


def random_parts(length: int = LENGTH):
    """Return queries, keys, values, logarithms of decays, strengths of 0 to 2, and a state."""
    generator = np.random.default_rng(0)
    query, key = (generator.normal(size=(BATCH, length, GROUPS, SIZE)) for _ in range(2))
    key /= np.linalg.norm(key, axis=-1, keepdims=True)
    value = generator.normal(size=(BATCH, length, HEADS, VALUES))
    log_decay = -0.3 * generator.exponential(size=(BATCH, length, HEADS))
    strength = generator.uniform(0, 2, size=(BATCH, length, HEADS))
    state = generator.normal(size=(BATCH, HEADS, SIZE, VALUES))
    parts = query, key, value, log_decay, strength, state
    return [part.astype("float32") for part in parts]


def recurrence(query, key, value, log_decay, strength, state, like=ops):
    """Return the outputs and the last state, position by position, from the definition.

    `like` is `ops`, or `numpy`, which compiles nothing.
    """
    shared, outputs = value.shape[2] // key.shape[2], []
    query, key = (like.repeat(part, shared, axis=2) for part in (query, key))
    for place in range(value.shape[1]):
        state = state * like.exp(log_decay[:, place, :, None, None])
        newest = key[:, place, :, :, None]
        error = value[:, place] - like.sum(state * newest, axis=-2)
        state = state + newest * (strength[:, place, :, None] * error)[:, :, None, :]
        outputs.append(like.sum(state * query[:, place, :, :, None], axis=-2))
    return like.stack(outputs, axis=1), state


def joined(scan, like=ops):
    """Return a function that gives the outputs and the last state of a scan as one array."""

    def scan_and_join(*parts):
        return like.concatenate([like.reshape(part, (-1,)) for part in scan(*parts)])

    return scan_and_join


def assert_equals_the_recurrence(scan, parts, **tolerances):
    """Compare with the recurrence in float64."""
    exact = joined(lambda *given: recurrence(*given, np), np)(
        *(part.astype("float64") for part in parts)
    )
    np.testing.assert_allclose(run(joined(scan), *parts), exact, **tolerances)


@pytest.mark.parametrize(
    ("length", "chunk_length"),
    [
        slow_on_jax_unless(case in ((1, 64), (2, 4), (LENGTH, 11)), *case)
        for case in ((1, 64), (2, 4), (LENGTH, 11))
    ],
)
def test_chunks_equal_the_recurrence(length, chunk_length):
    def scan(*given):
        return scan_delta_rule(*given, chunk_length)

    assert_equals_the_recurrence(scan, random_parts(length), atol=1e-4)


@pytest.mark.parametrize("compiled", [False, True] if BACKEND == "tensorflow" else [True])
def test_the_gradients_of_chunks_equal_those_of_the_recurrence(compiled):
    parts = random_parts(23)
    shape = BATCH * (23 * HEADS * VALUES + HEADS * SIZE * VALUES)
    aim = np.random.default_rng(1).normal(size=shape).astype("float32")

    def gradients(scan, compiled=False):
        def loss(*given):
            return ops.sum(joined(scan)(*given) * ops.convert_to_tensor(aim))

        return differentiate(loss, parts, compiled=compiled)[1]

    found = gradients(lambda *given: scan_delta_rule(*given, 5), compiled)
    for one, other in zip(found, gradients(recurrence), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-5)


def test_equal_keys_lose_no_precision():
    """A product of powers of A would: with equal keys, they have numbers of about 1e18."""
    query, key, value, log_decay, _, state = random_parts(128)
    key[:] = key[:1, :1, :1]
    parts = query, key, value, 0 * log_decay, np.ones_like(log_decay), state
    assert_equals_the_recurrence(scan_delta_rule, parts, atol=1e-4)


def test_strong_decays_lose_no_precision_and_give_finite_gradients():
    """A sum of strong decays would round away the weak ones among them."""
    query, key, value, log_decay, strength, state = random_parts()
    log_decay[:, ::2] *= 1_000
    parts = query, key, value, log_decay, strength, state
    assert_equals_the_recurrence(scan_delta_rule, parts, atol=1e-5)
    _, gradients = differentiate(
        lambda *given: ops.sum(joined(scan_delta_rule)(*given) ** 2), parts
    )
    assert all(np.isfinite(part).all() for part in gradients)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="counts TensorFlow's operations")
def test_the_graph_does_not_grow_with_the_length():
    import tensorflow as tf

    def operations(length):
        shapes = [tf.TensorSpec(part.shape) for part in random_parts(length)]
        traced = tf.function(scan_delta_rule, autograph=False).get_concrete_function(*shapes)
        return len(traced.graph.as_graph_def().node)

    assert operations(64 * 40) == operations(64 * 3)


def gated_delta_kernel(case) -> np.ndarray:
    """Return the reference's input projections as one kernel: gates, q, k, v, b and a.

    The reference interleaves the parts key head by key head.
    """
    groups, heads = int(case["num_key_heads"]), int(case["num_value_heads"])
    shared, size = heads // groups, int(case["key_head_dim"])
    wide = shared * int(case["value_head_dim"])
    rows = case["weights/in_proj_qkvz/weight"]
    rows = rows.reshape(groups, -1, rows.shape[1])
    parts = np.split(rows, [size, 2 * size, 2 * size + wide], axis=1)
    query, key, value, gates = (part.reshape(-1, rows.shape[2]) for part in parts)
    rows = case["weights/in_proj_ba/weight"].reshape(groups, 2, shared, -1)
    strength, steps = (rows[:, index].reshape(heads, -1) for index in range(2))
    return np.concatenate([gates, query, key, value, strength, steps]).T


@pytest.mark.parametrize("chunk_length", [7, slow_on_jax_unless(False, 64)])
def test_gated_deltanet_at_once_and_step_by_step(reference_outputs, chunk_length):
    names = ("num_key_heads", "num_value_heads", "key_head_dim", "value_head_dim", "conv_kernel")
    for path, case in cases(reference_outputs, "gated_deltanet_"):
        inputs = ops.convert_to_tensor(case["inputs"])
        mixer = GatedDeltaMixer(
            *(int(case[name]) for name in names),
            epsilon=float(case["norm_epsilon"]),
            chunk_length=chunk_length,
        )
        mixer.build(inputs.shape)
        mixer.input_projection.kernel.assign(gated_delta_kernel(case))
        mixer.output_projection.kernel.assign(case["weights/out_proj/weight"].T)
        mixer.norm.gamma.assign(case["weights/norm/weight"])
        assign_convolution(mixer.convolution, case, "weights/conv1d")
        mixer.log_rates.assign(case["weights/A_log"])
        mixer.step_bias.assign(case["weights/dt_bias"])
        in_parts, _ = decode_parts(mixer, inputs, max_length=0)
        for found in (mixer(inputs), in_parts):
            compare(found, case["outputs"], path, atol=PUBLISHED_TOLERANCE, rtol=1e-7)


def mixer(**changes) -> GatedDeltaMixer:
    keras.utils.set_random_seed(3)
    layer = GatedDeltaMixer(GROUPS, HEADS, SIZE, VALUES, **{"chunk_length": 8, **changes})
    layer.build((None, None, WIDTH))
    return layer


def hidden_states(length=LENGTH, seed=0):
    states = np.random.default_rng(seed).normal(size=(BATCH, length, WIDTH))
    return ops.convert_to_tensor(states.astype("float32"))


@pytest.mark.parametrize("backward", [False, True])
def test_the_mixer_reads_in_one_direction(backward):
    layer, inputs = mixer(backward=backward), hidden_states()
    changed = ops.convert_to_tensor(ops.convert_to_numpy(inputs).copy())
    middle = np.arange(LENGTH)[None, :, None] == 20
    changed = ops.where(middle, changed + 1.0, changed)
    first, second = (ops.convert_to_numpy(layer(states)) for states in (inputs, changed))
    moved = np.abs(first - second).max(axis=(0, 2)) > 1e-6
    unseen = slice(21, None) if backward else slice(0, 20)
    assert moved[20] and not moved[unseen].any()


@pytest.mark.parametrize(("expansion", "shared"), [(1, 1), (1, 2), (2, 3), (3, 2)])
def test_the_options_of_heads_keep_the_parameters(expansion, shared):
    architecture = ARCHITECTURES["gated_deltanet"]
    options = {**architecture.options, "expansion": expansion, "values_per_key": shared}
    one_layer = dataclasses.replace(MODEL_SIZES["tiny"], num_layers=1)
    request = request_for(architecture, Inputs.EMBEDDINGS, options=options, model_size=one_layer)
    encoder = architecture.build(request).encoder
    encoder.build((None, None, one_layer.width))
    width, wide = one_layer.width, one_layer.feedforward_width
    assert encoder.count_params() == pytest.approx(4 * width**2 + 2 * width * wide, rel=0.03)
