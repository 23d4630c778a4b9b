"""The LSTM of the control equals the published recurrence, whatever is padded."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from baselines.layers.long_short_term_memory import LongShortTermMemory
from suite.worker.conformance.gradients import differentiate, run
from tests.architectures import slow_on_jax_unless

BATCH, LENGTH, WIDTH = 3, 13, 6
MASKS = {
    "none": None,
    "between": np.random.default_rng(1).random((BATCH, LENGTH)) < 0.6,
    "all of an example": np.arange(LENGTH)[None] < np.array([[13], [0], [4]]),
}


def recurrence(hidden_states, mask, weights):
    """Return the outputs as published, position by position; padded ones change nothing."""
    outputs = []
    for number in range(len(weights) // 3):
        kernel, recurrent, bias = weights[3 * number : 3 * number + 3]
        hidden = cell = ops.zeros((BATCH, recurrent.shape[0]))
        found = {}
        for place in range(LENGTH)[:: -1 if number else 1]:
            gates = hidden_states[:, place] @ kernel + hidden @ recurrent + bias
            entry, forget, candidate, output = ops.split(gates, 4, axis=-1)
            after = ops.sigmoid(forget) * cell + ops.sigmoid(entry) * ops.tanh(candidate)
            real = ops.convert_to_tensor(mask[:, place, None])
            cell = ops.where(real, after, cell)
            hidden = ops.where(real, ops.sigmoid(output) * ops.tanh(cell), hidden)
            found[place] = hidden
        outputs.append(ops.stack([found[place] for place in range(LENGTH)], axis=1))
    return ops.concatenate(outputs, axis=-1)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("padded", [slow_on_jax_unless(name == "between", name) for name in MASKS])
def test_outputs_and_gradients_are_those_of_the_recurrence(padded, causal):
    mask = MASKS[padded]
    real = np.ones((BATCH, LENGTH), "bool") if mask is None else mask
    generator = np.random.default_rng(0)
    layer = LongShortTermMemory(WIDTH, causal)
    layer.build((None, LENGTH, WIDTH))
    for weight in layer.weights:
        weight.assign(generator.normal(size=weight.shape))
    shape = BATCH, LENGTH, WIDTH
    hidden_states, aim = (generator.normal(size=shape).astype("float32") for _ in range(2))

    def of_layer(hidden_states):
        return layer(hidden_states, padding_mask=mask)

    def of_recurrence(hidden_states):
        directions = [layer.from_start] + ([] if causal else [layer.from_end])
        weights = [weight.value for direction in directions for weight in direction.weights]
        return recurrence(hidden_states, real, weights)

    def gradients(function):
        def loss(hidden_states):
            return ops.sum(function(hidden_states) * ops.convert_to_tensor(aim))

        return differentiate(loss, [hidden_states], layer.trainable_weights)

    found, expected = gradients(of_layer), gradients(of_recurrence)
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-4)
    outputs = [run(function, hidden_states) for function in (of_layer, of_recurrence)]
    np.testing.assert_allclose(*outputs, atol=1e-6)


def test_a_carried_state_and_its_gradient_are_those_of_the_whole_sequence():
    first = 6
    layer = LongShortTermMemory(WIDTH, causal=True)
    hidden_states = np.random.default_rng(0).normal(size=(BATCH, LENGTH, WIDTH)).astype("float32")
    layer.build(hidden_states.shape)

    def in_parts(hidden_states):
        state, outputs = layer.init_state(BATCH, LENGTH), []
        for part in (hidden_states[:, :first], hidden_states[:, first:]):
            found, state = layer.decode_step(part, state, 0)
            outputs.append(found)
        return ops.concatenate(outputs, axis=1), state

    def loss_in_parts(hidden_states):
        outputs, (hidden, _) = in_parts(hidden_states)
        return ops.sum(outputs**2) + ops.sum(hidden * outputs[:, 2])

    def loss_at_once(hidden_states):
        outputs = layer(hidden_states)
        return ops.sum(outputs**2) + ops.sum(outputs[:, -1] * outputs[:, 2])

    found, expected = (
        differentiate(loss, [hidden_states], layer.trainable_weights)
        for loss in (loss_in_parts, loss_at_once)
    )
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-4)
