"""Full and windowed attention against NumPy, against each other, and against published outputs."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from baselines.layers.attention_positions import RotaryPositions
from baselines.layers.full_attention import FullAttention
from baselines.layers.positions import sinusoids
from baselines.layers.sliding_window_attention import SlidingWindowAttention
from baselines.layers.transformer_layer import TransformerLayer
from suite.worker.conformance.gradients import BACKEND, run, tensors
from tests.architectures import slow_on_jax_unless
from tests.builders.published import cases, require_usual_heads

NAMES = ("query", "key", "value")


def numpy_attention(query, key, value, allowed):
    """Return attention computed from its definition, head by head and position by position."""
    scores = query @ key.T / np.sqrt(query.shape[-1])
    scores = np.where(allowed, scores, -1e30)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ value


def project(layer, name, states):
    projection = getattr(layer, name)
    kernel, bias = map(ops.convert_to_numpy, (projection.kernel, projection.bias))
    return states @ kernel + bias


def randomize(layer, seed=0):
    """Set every weight, biases included, to a random value."""
    generator = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(generator.normal(scale=0.4, size=weight.shape))


def oracle(layer, states, padding, is_global, window, causal=False, dilation=1):
    """Return Longformer's attention for one example, before the output projection."""
    length, width = states.shape
    size = width // layer.num_heads
    signed = np.arange(length)[:, None] - np.arange(length)[None, :]
    dilations = np.broadcast_to(dilation, layer.num_heads)
    order = (signed >= 0) if causal else np.ones(signed.shape, bool)
    query, key, value = (project(layer, name, states) for name in NAMES)
    mixed = np.zeros_like(states)
    for head in range(layer.num_heads):
        part, apart = slice(head * size, (head + 1) * size), dilations[head]
        near = (np.abs(signed) <= window // 2 * apart) & (signed % apart == 0)
        allowed = (near | is_global[None, :]) & padding[None, :] & order
        mixed[:, part] = numpy_attention(query[:, part], key[:, part], value[:, part], allowed)
    if is_global.any():
        query, key, value = (project(layer, f"{name}_global", states) for name in NAMES)
        everything = padding[None, :] & order
        for head in range(layer.num_heads):
            part = slice(head * size, (head + 1) * size)
            full = numpy_attention(query[:, part], key[:, part], value[:, part], everything)
            mixed[is_global, part] = full[is_global]
    mixed[~padding] = 0
    return mixed


@pytest.mark.parametrize(
    "length, window",
    [
        slow_on_jax_unless((length, window) in ((3, 8), (31, 6)), length, window)
        for length, window in [(1, 2), (3, 8), (31, 6)]
    ],
)
@pytest.mark.parametrize("num_global", [0, 3])
@pytest.mark.parametrize("causal, dilation", [(False, 1), (True, 1), (False, (3, 1)), (True, 2)])
def test_windowed_attention_equals_its_definition(length, window, num_global, causal, dilation):
    generator = np.random.default_rng(length * window + num_global)
    layer = SlidingWindowAttention(2, window, num_global, causal=causal, dilation=dilation)
    states = generator.normal(size=(3, length, 10)).astype("float32")
    layer.build(states.shape)
    randomize(layer)
    padding = np.arange(length)[None, :] < np.array([[length], [max(1, length - 2)], [1]])
    is_global = np.zeros((3, length), bool)
    for example, count in enumerate((num_global, min(1, num_global), 0)):
        real = np.flatnonzero(padding[example])
        chosen = generator.permutation(real)[: min(count, len(real))]
        is_global[example, chosen] = True
    mask = is_global if num_global else None
    mixed = run(layer.mix, states, padding, mask)
    for example in range(3):
        expected = oracle(
            layer, states[example], padding[example], is_global[example], window, causal, dilation
        )
        np.testing.assert_allclose(mixed[example], expected, atol=2e-5)


def test_windowed_attention_reproduces_the_published_outputs(reference_outputs):
    for path, case in cases(reference_outputs, "longformer_attention_"):
        is_global = case["global_mask"].astype(bool)
        require_usual_heads(case["query/kernel"], path)
        # Without a global token, the global projections change nothing.
        num_global = max(1, int(is_global.sum(axis=1).max()))
        layer = SlidingWindowAttention(int(case["num_heads"]), int(case["window"]), num_global)
        layer.build(case["inputs"].shape)
        for name in NAMES:
            for suffix in ("", "_global"):
                projection = getattr(layer, name + suffix)
                projection.kernel.assign(case[f"{name}{suffix}/kernel"])
                projection.bias.assign(case[f"{name}{suffix}/bias"])
        mixed = run(layer.mix, case["inputs"], case["padding_mask"].astype(bool), is_global)
        np.testing.assert_allclose(mixed, case["outputs"], atol=1e-4, err_msg=path)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="looks into TensorFlow's graph")
def test_no_array_of_windowed_attention_is_quadratic():
    """Trace the layer at one length, and check the shape of every tensor in the graph."""
    import tensorflow as tf

    length = 512
    layer = SlidingWindowAttention(num_heads=2, window=16, max_global_tokens=2)
    layer.build((1, length, 8))

    @tf.function
    def step(states, padding, is_global):
        with tf.GradientTape() as tape:
            tape.watch(states)
            loss = tf.reduce_sum(layer(states, padding, is_global) ** 2)
        return tape.gradient(loss, states)

    graph = step.get_concrete_function(
        tf.TensorSpec((1, length, 8)),
        tf.TensorSpec((1, length), tf.bool),
        tf.TensorSpec((1, length), tf.bool),
    ).graph
    sizes = [
        int(np.prod(output.shape))
        for operation in graph.get_operations()
        for output in operation.outputs
        if output.shape.is_fully_defined()
    ]
    assert max(sizes) < length * length / 4


@pytest.mark.skipif(BACKEND != "tensorflow", reason="other backends know the batch size")
def test_attention_without_a_known_batch_size_is_in_blocks():
    """Keras's `fit` traces its step for batches of any size."""
    import tensorflow as tf

    length = 256
    layer = FullAttention(num_heads=2, causal=True, block_bytes=2 * 32 * length * 4)
    states = np.random.default_rng(0).normal(size=(3, length, 8)).astype("float32")
    padding = np.arange(length)[None, :] < np.array([[length], [7], [200]])
    layer.build(states.shape)

    def step(states, padding):
        with tf.GradientTape() as tape:
            tape.watch(states)
            outputs = layer(states, padding)
        return outputs, tape.gradient(outputs, states, output_gradients=states)

    shapes = tf.TensorSpec((None, length, 8)), tf.TensorSpec((None, length), tf.bool)
    traced = tf.function(step, input_signature=shapes, autograph=False)
    for found, expected in zip(
        traced(states, padding), step(*tensors(states, padding)), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    operations = traced.get_concrete_function().graph.get_operations()
    shapes = [
        output.shape[1:] for part in operations for output in part.outputs if output.shape.rank
    ]
    assert max(int(np.prod(shape)) for shape in shapes if None not in shape) < length * length


def test_sinusoids_equal_the_papers_formula():
    table = sinusoids(50, 8)
    assert table[7, 4] == pytest.approx(np.sin(7 / 10_000 ** (4 / 8)), abs=1e-6)
    assert table[7, 5] == pytest.approx(np.cos(7 / 10_000 ** (4 / 8)), abs=1e-6)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [4, 46])
def test_a_rotary_window_equals_full_attention_with_this_window(window, causal):
    windowed = SlidingWindowAttention(2, window, causal=causal, positions=RotaryPositions())
    # A position of a window w sees w / 2 positions on a side; full attention counts itself too.
    full = FullAttention(2, causal, window=window // 2 + 1, positions=RotaryPositions())
    inputs = np.random.default_rng(0).normal(size=(2, 23, 12)).astype("float32")
    windowed.build(inputs.shape)
    full.build(inputs.shape)
    for name in (*NAMES, "output_projection"):
        getattr(full, name).set_weights(getattr(windowed, name).get_weights())
    found, expected = (ops.convert_to_numpy(layer(inputs)) for layer in (windowed, full))
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_dropout_acts_in_training_within_a_transformer_layer():
    layer = TransformerLayer(FullAttention(2, dropout=0.5, seed=3), 8, dropout=0.0)
    states = np.random.default_rng(0).normal(size=(2, 17, 12)).astype("float32")
    still = [ops.convert_to_numpy(layer(states, training=False)) for _ in range(2)]
    moving = [ops.convert_to_numpy(layer(states, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    assert np.abs(moving[0] - moving[1]).max() > 0.01
    assert np.abs(moving[0] - still[0]).max() > 0.01
