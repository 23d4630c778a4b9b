"""Transformer-XL's attention against its definition, and recurrence against one long pass."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from baselines.layers.relative_attention import RelativeAttention, distance_embeddings
from baselines.layers.segment_recurrence import RecurrentStack
from baselines.layers.transformer_layer import TransformerLayer
from suite.worker.conformance.gradients import differentiate, run
from tests.architectures import slow_on_jax_unless

WIDTH, NUM_HEADS = 10, 2
SIZE = WIDTH // NUM_HEADS


def random_layer(
    causal: bool, segment_length: int, segment_memory_length: int, head_size: int = SIZE
):
    generator = np.random.default_rng(0)
    lengths = segment_length, segment_memory_length
    layer = RelativeAttention(NUM_HEADS, causal, *lengths, head_size=head_size)
    layer.build((None, None, WIDTH))
    for weight in layer.weights:
        weight.assign(generator.normal(scale=0.5, size=weight.shape))
    biases = generator.normal(size=(2, NUM_HEADS, head_size)).astype("float32")
    return layer, biases[0], biases[1]


def oracle(layer, content_bias, position_bias, states, memory, visible, causal):
    """Return attention from the four terms of the paper, summed for every pair of positions."""
    kernel = {
        name: ops.convert_to_numpy(getattr(layer, name).kernel)
        for name in ("query", "key", "value", "distance", "output_projection")
    }
    attended, size = np.concatenate([memory, states]), content_bias.shape[1]
    mixed = np.zeros((len(states), NUM_HEADS * size))
    for head in range(NUM_HEADS):
        part = slice(head * size, (head + 1) * size)
        for place, state in enumerate(states):
            query = (state @ kernel["query"])[part]
            scores = np.full(len(attended), -1e30)
            for index, other in enumerate(attended):
                distance = len(memory) + place - index
                if not visible[index] or (causal and distance < 0):
                    continue
                key = (other @ kernel["key"])[part]
                row = distance_embeddings(np.array([distance]), WIDTH)[0]
                relative = (row @ kernel["distance"])[part]
                by_content = (query + content_bias[head]) @ key
                by_position = (query + position_bias[head]) @ relative
                scores[index] = (by_content + by_position) / np.sqrt(size)
            weights = np.exp(scores - scores.max())
            values = (attended @ kernel["value"])[:, part]
            mixed[place, part] = weights @ values / weights.sum()
    return mixed @ kernel["output_projection"]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    ("length", "remembered", "size"),
    [(7, 5, SIZE), (5, 11, 3), slow_on_jax_unless(False, 7, 0, SIZE)],
)
def test_relative_attention_equals_its_definition(causal, length, remembered, size):
    generator = np.random.default_rng(length + remembered)
    layer, content_bias, position_bias = random_layer(causal, length, remembered, size)
    states = generator.normal(size=(2, length, WIDTH)).astype("float32")
    memory = generator.normal(size=(2, remembered, WIDTH)).astype("float32")
    mask = np.arange(length)[None, :] < np.array([[length], [max(1, length - 2)]])
    segment_memory_mask = np.ones((2, remembered), bool)
    segment_memory_mask[1, : remembered // 2] = False
    given = (
        {"segment_memory": memory, "segment_memory_mask": segment_memory_mask} if remembered else {}
    )
    mixed = run(layer, states, content_bias, position_bias, mask, *given.values())
    for example in range(2):
        visible = np.concatenate([segment_memory_mask[example], mask[example]])
        expected = oracle(
            layer, content_bias, position_bias, states[example], memory[example], visible, causal
        )
        real = mask[example]
        np.testing.assert_allclose(mixed[example][real], expected[real], atol=2e-5)


def recurrent(segment_length: int, segment_memory_length: int) -> RecurrentStack:
    stack = RecurrentStack(
        [
            TransformerLayer(
                RelativeAttention(NUM_HEADS, True, segment_length, segment_memory_length),
                16,
                activation="relu",
                dropout=0.0,
            )
            for _ in range(3)
        ]
    )
    stack.build((None, None, WIDTH))
    generator = np.random.default_rng(8)
    for weight in stack.weights:
        weight.assign(generator.normal(scale=0.4, size=weight.shape))
    return stack


@pytest.mark.parametrize(
    "segment_length", [4, *(slow_on_jax_unless(False, length) for length in (1, 7))]
)
def test_segments_with_enough_memory_equal_one_long_pass(segment_length):
    states = np.random.default_rng(0).normal(size=(2, 23, WIDTH)).astype("float32")
    whole, parts = (
        run(stack, states) for stack in (recurrent(23, 0), recurrent(segment_length, 23))
    )
    np.testing.assert_allclose(parts, whole, atol=2e-5)


def test_the_gradient_stops_at_the_segment_memory():
    stack = recurrent(4, 4)
    states = np.random.default_rng(0).normal(size=(1, 8, WIDTH)).astype("float32")
    _, (gradient,) = differentiate(lambda x: ops.sum(stack(x)[0][:, 4:] ** 2), [states])
    assert np.abs(gradient[:, :4]).max() == 0.0
    assert np.abs(gradient[:, 4:]).max() > 0.0


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    ("segment", "remembered"),
    [
        *((4, 6), (5, 2)),
        *(slow_on_jax_unless(False, *case) for case in ((1, 3), (7, 0))),
    ],
)
def test_all_segments_at_once_equal_separate_segments(causal, segment, remembered):
    """Holds for any segment and memory, and for a sequence that ends within a segment."""
    generator = np.random.default_rng(segment + remembered)
    layer, *biases = random_layer(causal, segment, remembered)
    states = generator.normal(size=(2, 17, WIDTH)).astype("float32")
    mask = np.arange(17)[None, :] < np.array([[17], [11]])
    whole = run(layer, states, *biases, mask)
    for start in range(0, 17, segment):
        first = max(0, start - remembered)
        given = ()
        if first < start:
            given = states[:, first:start], mask[:, first:start]
        part = slice(start, min(start + segment, 17))
        alone = run(layer, states[:, part], *biases, mask[:, part], *given)
        real = mask[:, part]
        np.testing.assert_allclose(whole[:, part][real], alone[real], atol=2e-5)


def test_the_gradient_equals_that_of_separate_segments():
    """The hidden states of the memory are constants; their projections are not."""
    layer, *biases = random_layer(True, 4, 4)
    states = np.random.default_rng(1).normal(size=(2, 12, WIDTH)).astype("float32")
    aim = np.random.default_rng(2).normal(size=(2, 12, WIDTH)).astype("float32")
    seen = np.ones((2, 4), bool)

    def together(states):
        return ops.sum(layer(states, *biases) * ops.convert_to_tensor(aim))

    def one_by_one(states):
        parts = [layer(states[:, :4], *biases)]
        for start in (4, 8):
            memory = ops.stop_gradient(states[:, start - 4 : start])
            given = {"segment_memory": memory, "segment_memory_mask": seen, "padding_mask": seen}
            parts.append(layer(states[:, start : start + 4], *biases, **given))
        return ops.sum(ops.concatenate(parts, axis=1) * ops.convert_to_tensor(aim))

    weights = layer.trainable_weights
    found = [differentiate(each, [states], weights)[1] for each in (together, one_by_one)]
    assert len(found[0]) == 6
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
