"""Layers train on inputs of unknown length, where their mathematics allows it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import BuildRequest, Form, Inputs
from suite.worker.conformance.gradients import BACKEND
from suite.worker.conformance.subjects import SIZE
from tests.architectures import ARCHITECTURES, slow_unless
from tests.layers import layer_of, mixers

WIDTH = SIZE.width
LENGTHS = (8, 14, 1)
"""Below and above windows, chunks and segments, and whole numbers of them."""
MIXERS = mixers()
OF_EACH_KIND = (
    *("FullAttention", "SlidingWindowAttention", "BlockSparseAttention", "RelativeAttention"),
    *("LinearAttention-causal", "ProjectedAttention", "ReversibleStack"),
    "LongShortTermMemory",
)
"""The mixers that are quick: one of each kind. Linear attention scans in chunks."""
EMBEDDED = [name for name, part in ARCHITECTURES.items() if Inputs.EMBEDDINGS in part.inputs]
CASES = [(name, form) for name in EMBEDDED for form in sorted(ARCHITECTURES[name].forms)]


def fixed_length_reason(name: str, form: Form = Form.ENCODER) -> str | None:
    architecture = ARCHITECTURES[name]
    own = {**architecture.options}
    return architecture.fixed_length_reason(BuildRequest(form, Inputs.EMBEDDINGS, SIZE, 40, own))


def batch_of(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, length, WIDTH)).astype("float32")


def assert_trains_alike(make, tolerance: float = 2e-5) -> None:
    """Compare the weights that a layer has after steps in a graph and after eager ones."""
    compiled, eager = (weights_after_steps(make, run_eagerly=how) for how in (False, True))
    for one, other in zip(compiled, eager, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


def weights_after_steps(make, *, run_eagerly: bool) -> list[np.ndarray]:
    """Return the weights after one step at each length, in a graph of unknown length or eagerly.

    `fit` reads two batches before it makes its graph, which has the dimensions that differ unknown.
    """
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((None, WIDTH)), make(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=run_eagerly, jit_compile=False)
    batches = ((batch_of(length), np.ones((2, length, 1), "float32")) for length in LENGTHS)
    model.fit(batches, steps_per_epoch=len(LENGTHS), shuffle=False, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize(
    "name",
    [
        slow_unless(
            name == "FullAttention" or (name in OF_EACH_KIND and BACKEND != "jax"),
            name,
        )
        for name in MIXERS
    ],
)
def test_a_mixer_trains_as_it_does_with_known_lengths(name):
    assert_trains_alike(MIXERS[name])


FIXED = [(name, form) for name, form in CASES if fixed_length_reason(name)]


@pytest.mark.parametrize(("name", "form"), FIXED)
def test_an_architecture_that_needs_a_length_says_so_before_it_trains(name, form):
    given = [keras.Input((None, WIDTH)) for _ in range(1 + (form is Form.ENCODER_DECODER))]
    with pytest.raises(ValueError, match="Received: inputs of unknown length"):
        layer_of(name, form=form)(*given)


# The mixers are tested above: quick is one with positions.
@pytest.mark.parametrize(
    ("name", "form"),
    [
        slow_unless((name, form) == ("bert", Form.ENCODER), name, form)
        for name, form in CASES
        if form is not Form.ENCODER_DECODER
    ],
)
def test_an_architecture_trains_as_it_does_with_known_lengths(name, form):
    changes = {"max_length": max(LENGTHS)} if (name, form) in FIXED else {}
    # LSH draws new rotations in each step of training, from seeds of another order.
    tolerance = 1.0 if name == "reformer" else 2e-5
    assert_trains_alike(lambda: layer_of(name, form=form, **changes), tolerance)


@pytest.mark.parametrize(
    "name",
    [
        slow_unless(name == "vanilla", name)
        for name, form in CASES
        if form is Form.ENCODER_DECODER and not fixed_length_reason(name)
    ],
)
def test_an_encoder_decoder_takes_unknown_lengths(name):
    keras.utils.set_random_seed(0)
    layer = layer_of(name, form=Form.ENCODER_DECODER)
    given = [keras.Input((None, WIDTH)) for _ in range(2)]
    model = keras.Model(given, layer(*given))
    assert model.output_shape == (None, None, WIDTH)
    for lengths in ((21, 5), (34, 8), (1, 3)):
        source, target = batch_of(lengths[0]), batch_of(lengths[1], seed=1)
        found = model.predict([source, target], verbose=0)
        expected = ops.convert_to_numpy(layer(source, target))
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "name", [slow_unless(name == "linear_attention", name) for name in EMBEDDED]
)
@pytest.mark.skipif(BACKEND != "tensorflow", reason="the other backends know all lengths")
def test_a_data_set_of_padded_batches_trains(name):
    import tensorflow as tf

    rows = [np.arange(1, length + 1) % 9 + 1 for length in (5, 21, 34, 2)]

    def examples():
        yield from ((row.astype("int32"), np.float32(len(row))) for row in rows)

    spec = tf.TensorSpec((None,), "int32"), tf.TensorSpec((), "float32")
    data = tf.data.Dataset.from_generator(examples, output_signature=spec).padded_batch(2)
    data = data.apply(tf.data.experimental.assert_cardinality(2))
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Embedding(11, WIDTH, mask_zero=True),
            layer_of(name, max_length=40 if fixed_length_reason(name) else None),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    losses = model.fit(data, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert np.isfinite(losses).all()


def test_an_unknown_length_beyond_the_positions_is_an_error():
    model = keras.Sequential([keras.Input((None, WIDTH)), layer_of("bert", max_length=8)])
    model.predict(batch_of(8), verbose=0)
    model.predict(batch_of(5), verbose=0)
    with pytest.raises(Exception, match=r"The model has 8 positions|A position is not below 8"):
        model.predict(batch_of(9), verbose=0)


def test_the_shape_of_the_output_is_known_but_for_the_length():
    for make in MIXERS.values():
        states = keras.Input((None, WIDTH))
        assert make()(states).shape == (None, None, WIDTH)
    assert layer_of("vit", max_length=8)(keras.Input((None, 4))).shape == (None, None, WIDTH)
