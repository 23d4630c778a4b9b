"""The decoding state of attention: bounded by the window, written in place, and as declared."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.measure.memory import count_bytes
from tests.architectures import slow_on_jax_unless

SIZE = ModelSize("test", num_layers=2, width=16, num_heads=2, feedforward_width=48)
LENGTH, VOCABULARY = 23, 37
WINDOWED = [
    ("vanilla", {"window": 5}),
    ("vanilla", {"window": 5, "positions": "relative"}),
    ("vanilla", {"window": 5, "positions": "alibi", "key_value_heads": 1}),
    ("llama", {"window": 5, "num_sinks": 3}),
    ("llama", {"window": 1, "num_sinks": 2}),
    ("longformer", {"window": [4, 6]}),
    ("longformer", {"window": [4], "dilation": [3, 1], "positions": "rotary"}),
    ("longformer", {"window": [4], "dilation": [3], "dilated_heads": 1}),
]
"""Architectures with options whose windows are much shorter than the sequence."""


def make(name: str, **changes: object) -> tuple[object, BuildRequest, object]:
    keras.utils.set_random_seed(3)
    architecture = find_plugin(ARCHITECTURES, name)
    options = {**architecture.options, **changes}
    # One layer is enough where both are alike.
    differ = any(isinstance(value, list) and len(value) > 1 for value in changes.values())
    size = SIZE if differ else replace(SIZE, num_layers=1)
    request = BuildRequest(
        Form.DECODER, Inputs.TOKEN_IDS, size, LENGTH, options, vocabulary_size=VOCABULARY
    )
    return architecture, request, architecture.build(request)


@pytest.mark.parametrize(
    ("name", "options"),
    # On JAX, those with sinks and with a window for each layer.
    [slow_on_jax_unless(case in (WINDOWED[3], WINDOWED[5]), *case) for case in WINDOWED],
)
@pytest.mark.parametrize("first", [slow_on_jax_unless(False, 1), 11])
def test_a_ring_of_positions_equals_the_whole_pass(name, options, first):
    """The context is shorter or longer than the window, and the ring turns several times."""
    _, _, backbone = make(name, **options)
    tokens = np.random.default_rng(0).integers(VOCABULARY, size=(2, LENGTH)).astype("int32")
    whole = ops.convert_to_numpy(backbone.decode(tokens)[0])
    state, found = backbone.init_state(2, LENGTH), []
    bounds = [0, first, *range(first + 1, 17), 20, LENGTH]
    for start, stop in pairwise(bounds):
        states, state = backbone.decode(tokens[:, start:stop], state=state, position=start)
        found.append(ops.convert_to_numpy(states))
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, atol=2e-5)


@pytest.mark.parametrize(("name", "options"), WINDOWED)
def test_the_state_of_a_window_is_bounded_and_has_its_declared_size(name, options):
    architecture, request, backbone = make(name, **options)
    backbone.decode(np.zeros((1, 2), "int32"))
    sizes = {}
    for length in (LENGTH, 10 * LENGTH, 100 * LENGTH):
        sizes[length] = count_bytes(keras.tree.flatten(backbone.init_state(1, length)))
        assert sizes[length] == architecture.state_bytes(request, length)
    assert len(set(sizes.values())) == 1


def test_the_declared_size_counts_values_in_the_compute_precision():
    architecture, request, _ = make("gpt")
    assert architecture.state_bytes(request, 100, 2) * 2 == architecture.state_bytes(request, 100)
    mamba, request, _ = make("mamba2")
    assert mamba.state_bytes(request, 100) == mamba.state_bytes(request, 10**6)
    assert mamba.state_bytes(request, 100, 2) * 2 > mamba.state_bytes(request, 100)
