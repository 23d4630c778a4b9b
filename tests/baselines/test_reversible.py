"""Reversible layers: the gradient from recomputed activations equals the ordinary gradient."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.full_attention import FullAttention
from baselines.layers.lsh_attention import LSHAttention
from baselines.layers.positions import AxialPositions
from baselines.layers.reversible import ReversibleLayer, ReversibleStack
from suite.worker.conformance.gradients import BACKEND, differentiate

WIDTH = 8


def make_stack(
    reversible: bool, dropout: float, num_layers: int = 2, crosses: bool = False
) -> ReversibleStack:
    keras.utils.set_random_seed(7)
    stack = ReversibleStack(
        [
            ReversibleLayer(LSHAttention(2, 4, 2, 4), 16, FullAttention(2) if crosses else None)
            for _ in range(num_layers)
        ],
        dropout=dropout,
        reversible=reversible,
    )
    stack.build((None, None, WIDTH))
    return stack


@pytest.mark.parametrize(
    ("length", "dropout", "crosses", "compiled"),
    [
        (16, 0.0, False, False),
        (13, 0.3, True, False),
        # JAX compiles every case, and PyTorch none.
        *([(13, 0.3, True, True)] if BACKEND == "tensorflow" else []),
    ],
)
def test_the_gradient_equals_the_ordinary_one(length, dropout, crosses, compiled):
    generator = np.random.default_rng(0)
    states, aim = (generator.normal(size=(2, length, WIDTH)).astype("float32") for _ in range(2))
    context = generator.normal(size=(2, 5, WIDTH)).astype("float32")
    found = []
    for reversible in (False, True):
        stack = make_stack(reversible, dropout, crosses=crosses)

        def loss(states, *context, stack=stack):
            given = {"context": context[0]} if context else {}
            return ops.sum(stack(states, training=True, **given) * ops.convert_to_tensor(aim))

        inputs = [states, context] if crosses else [states]
        value, gradients = differentiate(loss, inputs, stack.trainable_weights, compiled)
        found.append([np.asarray(value), *gradients])
    assert len(found[0]) == len(found[1]) > 20
    for plain, again in zip(*found, strict=True):
        scale = np.abs(plain).max()
        assert np.abs(plain - again).max() <= 1e-5 * max(scale, 1.0)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow orders reads and updates")
def test_no_weight_is_updated_before_its_last_read():
    """In the optimized graph of a training step, an update depends on all reads of its weight.

    A half that is recomputed with an updated weight gives a wrong gradient, but only rarely: it
    takes a read that is scheduled late. Therefore the test looks at the graph.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context as runtime

    stack = make_stack(reversible=True, dropout=0.1, crosses=True)
    optimizer = keras.optimizers.SGD(0.1)  # without clipping, an update needs its gradient alone
    optimizer.build(stack.trainable_weights)
    generator = np.random.default_rng(0)
    states = tf.constant(generator.normal(size=(2, 16, WIDTH)), "float32")
    given = {"context": tf.constant(generator.normal(size=(2, 5, WIDTH)), "float32")}

    @tf.function(autograph=False)
    def step(states):
        with tf.GradientTape() as tape:
            tape.watch(states)
            loss = ops.sum(stack(states, training=True, **given) ** 2)
        weights = stack.trainable_weights
        d_states, *gradients = tape.gradient(loss, [states, *(w.value for w in weights)])
        optimizer.apply(gradients, weights)
        return d_states

    runtime.enable_run_metadata()
    try:
        step(states)
        graphs = runtime.export_run_metadata().function_graphs
    finally:
        runtime.disable_run_metadata()
    nodes = max((graph.post_optimization_graph.node for graph in graphs), key=len)
    inputs = {
        node.name: [name.lstrip("^").partition(":")[0] for name in node.input] for node in nodes
    }
    updates = [node.name for node in nodes if node.op == "AssignSubVariableOp"]
    assert len(updates) == len(stack.trainable_weights)
    for update in updates:
        weight, *needed = inputs[update]
        before = set()
        while needed:
            if (name := needed.pop()) not in before:
                before.add(name)
                needed += inputs[name]
        reads = {
            node.name for node in nodes if node.op == "ReadVariableOp" and weight in node.input
        }
        assert reads and reads <= before, weight


def test_rotations_are_new_in_training_and_constant_in_evaluation():
    states = np.random.default_rng(0).normal(size=(1, 64, WIDTH)).astype("float32")
    stack = make_stack(reversible=True, dropout=0.0)
    first, second = (ops.convert_to_numpy(stack(states, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-4
    first, second = (ops.convert_to_numpy(stack(states, training=False)) for _ in range(2))
    assert (first == second).all()


class RecordingAttention(LSHAttention):
    """LSH attention that records the rotations that it receives."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.received = []

    def attend(self, hidden_states, rotations, padding_mask, buckets):
        self.received.append(ops.convert_to_numpy(rotations))
        return super().attend(hidden_states, rotations, padding_mask, buckets)

    def decode_step(self, hidden_states, state, position, rotations):
        self.received.append(ops.convert_to_numpy(rotations))
        return super().decode_step(hidden_states, state, position, rotations)


def test_each_layer_has_rotations_of_its_own_in_evaluation_and_in_decoding():
    attentions = [RecordingAttention(2, 4, 2, 4, causal=True) for _ in range(3)]
    layers = [ReversibleLayer(attention, 16) for attention in attentions]
    stack = ReversibleStack(layers, dropout=0.0, reversible=False)
    states = ops.ones((1, 16, WIDTH))
    for _ in range(2):
        stack(states, training=False)
    stack.decode_step(states[:, :1], stack.init_state(1, 16), 0)
    for attention in attentions:
        first, *others = attention.received
        assert len(others) == 2
        assert all((first == other).all() for other in others)
    drawn = [attention.received[0] for attention in attentions]
    assert all(np.abs(a - b).max() > 0.1 for a, b in itertools.combinations(drawn, 2))


@pytest.mark.parametrize("length", [1, 2, 7, 16, 17, 100])
def test_axial_positions_differ_and_have_few_weights(length):
    layer = AxialPositions(length)
    added = ops.convert_to_numpy(layer(np.zeros((1, length, 6), "float32")))[0]
    assert len(np.unique(added.round(7), axis=0)) == length
    assert layer.rows * layer.columns >= length
    assert layer.rows + layer.columns <= 2 * np.sqrt(length) + 2
    tail = ops.convert_to_numpy(layer(np.zeros((1, 1, 6), "float32"), start=length - 1))[0]
    np.testing.assert_allclose(tail[0], added[-1])
