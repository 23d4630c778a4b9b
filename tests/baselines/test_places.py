"""Decoding beyond the places of a state, or beyond learned positions, is an error."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.full_attention import FullAttention
from baselines.layers.lsh_attention import LSHAttention
from baselines.layers.positions import AxialPositions, LearnedPositions, SinusoidalPositions
from baselines.layers.sliding_window_attention import SlidingWindowAttention
from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.plugins import ARCHITECTURES, find_plugin
from tests.builders.steps import decode_parts

WIDTH, PLACES = 16, 8
SIZE = ModelSize("test", num_layers=1, width=WIDTH, num_heads=2, feedforward_width=32)
LIMITED = ["vanilla", "gpt", "llama", "t5", "longformer", "reformer"]
"""Architectures whose state has a place for each position, or that have learned positions."""


def states(length):
    values = np.random.default_rng(length).normal(size=(2, length, WIDTH))
    return ops.convert_to_tensor(values.astype("float32"))


def kinds_of_numbers():
    """Return ways to pass a position outside a compiled function."""
    return [int, np.int64, lambda number: ops.convert_to_tensor(np.int32(number))]


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, int) for name in LIMITED), *(("vanilla", kind) for kind in kinds_of_numbers())],
)
def test_decoding_past_the_end_of_a_state_is_an_error(name, kind):
    architecture = find_plugin(ARCHITECTURES, name)
    options = {**architecture.options}
    request = BuildRequest(
        Form.DECODER, Inputs.EMBEDDINGS, SIZE, PLACES, options, vocabulary_size=None
    )
    backbone = architecture.build(request)
    backbone.decode(states(PLACES))
    for position, count in ((PLACES, 1), (PLACES - 2, 3), (0, PLACES + 1)):
        state = backbone.init_state(2, PLACES)
        with pytest.raises(ValueError, match="positions"):
            backbone.decode(states(count), state=state, position=kind(position))


def mixers():
    return {
        "full": FullAttention(2, causal=True),
        "short_window": FullAttention(2, causal=True, window=PLACES + 1, num_sinks=1),
        "sliding": SlidingWindowAttention(2, 4 * PLACES, causal=True),
    }


def compiled(function, xla):
    """Return a function whose tensors have no values while it is compiled."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=xla, autograph=False)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="tensors always have values")
@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("name", mixers())
def test_a_compiled_step_past_the_end_is_nan_or_an_error(name, xla):
    """A position that only the compiled function knows cannot raise a ValueError."""
    layer = mixers()[name]
    layer.build((2, PLACES, WIDTH))
    newest, state = states(1), layer.init_state(2, PLACES)

    step = compiled(lambda new, position, *held: layer.decode_step(new, held, position)[0], xla)
    for position in (1, PLACES - 1):
        found = step(newest, ops.convert_to_tensor(np.int32(position)), *state)
        assert np.isfinite(ops.convert_to_numpy(found)).all()
    past_end = ops.convert_to_tensor(np.int32(PLACES + (name == "short_window")))
    if keras.backend.backend() == "tensorflow" and not xla:
        with pytest.raises(Exception, match="not below"):
            step(newest, past_end, *state)
    else:
        assert np.isnan(ops.convert_to_numpy(step(newest, past_end, *state))).all()


def test_a_ring_as_long_as_the_window_never_ends():
    for layer in (
        FullAttention(2, causal=True, window=3, num_sinks=1),
        SlidingWindowAttention(2, 4, causal=True),
    ):
        inputs = states(3 * PLACES)
        layer.build(inputs.shape)
        whole = ops.convert_to_numpy(layer(inputs))
        found, _ = decode_parts(layer, inputs, range(1, 3 * PLACES + 1), PLACES)
        np.testing.assert_allclose(found, whole, atol=1e-5)


def test_hashed_attention_has_a_place_for_each_position():
    layer = LSHAttention(2, 4, num_hashes=1, num_buckets=2, causal=True)
    layer.build((2, PLACES, WIDTH))
    rotations = ops.zeros(layer.rotations_shape)
    with pytest.raises(ValueError, match="places for 8 positions"):
        layer.decode_step(states(1), layer.init_state(2, PLACES), PLACES, rotations)


@pytest.mark.parametrize("kind", kinds_of_numbers())
@pytest.mark.parametrize("make", [LearnedPositions, AxialPositions])
def test_learned_positions_have_an_end(make, kind):
    layer = make(PLACES)
    layer.build((2, None, WIDTH))
    layer(states(2), start=kind(PLACES - 2))
    with pytest.raises(ValueError, match="positions up to 8"):
        layer(states(2), start=kind(PLACES - 1))


@pytest.mark.parametrize("kind", kinds_of_numbers())
def test_sinusoids_extrapolate_from_any_known_position(kind):
    layer = SinusoidalPositions(PLACES)
    whole = ops.convert_to_numpy(layer(ops.zeros((1, 3 * PLACES, WIDTH))))
    found = layer(ops.zeros((1, 2, WIDTH)), start=kind(2 * PLACES))
    found = ops.convert_to_numpy(found)
    np.testing.assert_allclose(found, whole[:, 2 * PLACES : 2 * PLACES + 2], atol=1e-6)


def test_the_state_of_transformer_xl_keeps_its_type():
    architecture = find_plugin(ARCHITECTURES, "transformer_xl")
    options = {**architecture.options, "segment": 4, "memory": 4}
    request = BuildRequest(Form.DECODER, Inputs.TOKEN_IDS, SIZE, PLACES, options, vocabulary_size=9)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        backbone = architecture.build(request)
        state = backbone.init_state(2, PLACES)
        _, after = backbone.decode(np.ones((2, 1), "int32"), state=state)
    finally:
        keras.config.set_dtype_policy(before)
    types = [
        [keras.backend.standardize_dtype(part.dtype) for part in keras.tree.flatten(parts)]
        for parts in (state, after)
    ]
    assert types[0] == types[1] == ["bfloat16", "bool"]
