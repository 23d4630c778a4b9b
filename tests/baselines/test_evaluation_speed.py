"""Speed of evaluation, segment memory against recomputed context: Dai et al. 2019, table 9."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.conformance.gradients import BACKEND

SIZE = ModelSize("case", num_layers=4, width=256, num_heads=4, feedforward_width=1_024)
VOCABULARY, SEGMENT, MEMORY = 256, 128, 672


def decoder(name: str, length: int, options: dict[str, int]):
    architecture = find_plugin(ARCHITECTURES, name)
    request = BuildRequest(
        Form.DECODER,
        Inputs.TOKEN_IDS,
        SIZE,
        length,
        {**architecture.options, **options},
        vocabulary_size=VOCABULARY,
    )
    head = keras.layers.Dense(VOCABULARY)
    head.build((None, None, SIZE.width))
    return architecture.build(request), head


def tokens(batch_size: int, length: int):
    generator = np.random.default_rng(0)
    return ops.convert_to_tensor(generator.integers(VOCABULARY, size=(batch_size, length)), "int32")


def with_memory(batch_size: int) -> Callable[[], int]:
    """Return a function that predicts one segment's tokens with a full memory."""
    import tensorflow as tf

    backbone, head = decoder("transformer_xl", SEGMENT, {"segment": SEGMENT, "memory": MEMORY})
    token_ids = tokens(batch_size, SEGMENT)
    state = backbone.decode(token_ids)[1]
    while state[0][0].shape[1] < MEMORY:
        state = backbone.decode(token_ids, state=state)[1]

    @tf.function
    def step(token_ids, state):
        states, state = backbone.decode(token_ids, state=state)
        return head(states), state

    state = [state]

    def run() -> int:
        outputs, state[0] = step(token_ids, state[0])
        outputs.numpy()
        return batch_size * SEGMENT

    return run


def recomputing(batch_size: int) -> Callable[[], int]:
    """Return a function that predicts one token per example from its whole context."""
    import tensorflow as tf

    backbone, head = decoder("vanilla", SEGMENT + MEMORY, {})
    token_ids = tokens(batch_size, SEGMENT + MEMORY)
    backbone.decode(token_ids[:1])

    @tf.function
    def step(token_ids):
        return head(backbone.decode(token_ids)[0][:, -1:])

    def run() -> int:
        step(token_ids).numpy()
        return batch_size

    return run


def seconds_per_token(run: Callable[[], int]) -> float:
    run()
    run()
    found = []
    for _ in range(5):
        started = time.perf_counter()
        count = run()
        found.append((time.perf_counter() - started) / count)
    return statistics.median(found)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="compiled here for TensorFlow")
def test_segment_memory_makes_evaluation_300_times_as_fast():
    fastest = {
        make: min(seconds_per_token(make(batch_size)) for batch_size in (1, 4, 16))
        for make in (with_memory, recomputing)
    }
    assert fastest[recomputing] >= 300 * fastest[with_memory], fastest
