"""Reversible layers: the gradient that computes activations again is the ordinary one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from baselines.layers.lsh_attention import LshAttention
from baselines.layers.positions import AxialPositions
from baselines.layers.reversible import ReversibleLayer, ReversibleStack

WIDTH = 8


def make_stack(reversible: bool, dropout: float, num_layers: int = 3) -> ReversibleStack:
    keras.utils.set_random_seed(7)
    stack = ReversibleStack(
        [ReversibleLayer(LshAttention(2, 4, 2, 4), 16) for _ in range(num_layers)],
        dropout=dropout,
        reversible=reversible,
    )
    stack.build((None, None, WIDTH))
    return stack


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("length", [16, 13])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_gradient_equals_the_ordinary_one(dropout, length, compiled):
    generator = np.random.default_rng(0)
    states = tf.constant(generator.normal(size=(2, length, WIDTH)), tf.float32)
    aim = tf.constant(generator.normal(size=(2, length, WIDTH)), tf.float32)
    found = []
    for reversible in (False, True):
        stack = make_stack(reversible, dropout)

        def step(stack=stack):
            with tf.GradientTape() as tape:
                tape.watch(states)
                loss = tf.reduce_sum(stack(states, training=True) * aim)
            return loss, tape.gradient(loss, [states, *stack.trainable_weights])

        loss, gradients = (tf.function(step) if compiled else step)()
        found.append([loss.numpy(), *(gradient.numpy() for gradient in gradients)])
    assert len(found[0]) == len(found[1]) > 20
    for plain, again in zip(*found, strict=True):
        scale = np.abs(plain).max()
        assert scale > 0
        assert np.abs(plain - again).max() <= 1e-5 * max(scale, 1.0)


def test_rotations_are_new_in_training_and_fixed_in_evaluation():
    states = np.random.default_rng(0).normal(size=(1, 64, WIDTH)).astype("float32")
    stack = make_stack(reversible=True, dropout=0.0)
    first, second = (np.asarray(stack(states, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-4
    first, second = (np.asarray(stack(states, training=False)) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("length", [1, 2, 7, 16, 17, 100])
def test_axial_positions_are_all_different_in_few_weights(length):
    layer = AxialPositions(length)
    added = np.asarray(layer(np.zeros((1, length, 6), "float32")))[0]
    assert len(np.unique(added.round(7), axis=0)) == length
    assert layer.rows * layer.columns >= length
    assert layer.rows + layer.columns <= 2 * np.sqrt(length) + 2
    tail = np.asarray(layer(np.zeros((1, 1, 6), "float32"), start=length - 1))[0]
    np.testing.assert_allclose(tail[0], added[-1])
