"""Quantization: every architecture with weights of 8 and 4 bits."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import Form
from suite.matrix.registry import load_registry
from suite.methods.int4 import METHOD as INT4
from suite.methods.int8 import METHOD as INT8
from suite.worker.measure.memory import count_bytes
from tests.architectures import slow_unless
from tests.builders.methods import context_of
from tests.builders.models import hidden_states, model_and_features
from tests.builders.trainings import run_planned

REGISTRY = load_registry(())
ARCHITECTURES = REGISTRY.architectures.plugins
ORDER = (Form.ENCODER_DECODER, Form.DECODER, Form.ENCODER)
"""The last of these that an architecture has is its quick form."""
MOST_BYTES = {"lstm": 0.85, "performer": 0.35}
"""The share of bytes where it is above 0.3: of LSTMs, and of random rows that are not trained."""
CASES = [
    slow_unless(
        name in ("vanilla", *MOST_BYTES, "reformer") and form is max(own, key=ORDER.index),
        name,
        form,
    )
    for name, own in ((name, architecture.forms) for name, architecture in ARCHITECTURES.items())
    for form in sorted(own)
]
"""Each architecture and form; quick are a plain one, and those with limits of their own."""


def stored_bytes(model):
    return count_bytes([weight.value for weight in model.weights])


LIMITS = {INT8: (0.05, 0.3), INT4: (0.5, 0.2)}
"""The largest mean difference relative to the mean, and the largest share of bytes."""
OTHER_BUCKETS = 0.2
"""The largest mean difference by INT8 where a position near a border may change its bucket."""


@pytest.mark.parametrize("method", [INT8, pytest.param(INT4, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "form"), CASES)
def test_every_architecture_computes_nearly_the_same(name, form, method):
    model, features = model_and_features(name, form)
    before, counts = hidden_states(model, features), _counts_and_bytes(model, features)
    method.compress(model, context_of("int4", {}))
    after, compressed = hidden_states(model, features), _counts_and_bytes(model, features)
    difference, share = LIMITS[method]
    if name == "reformer":
        difference = max(difference, OTHER_BUCKETS)
    assert 0 < _mean_difference(after, before) < difference
    assert compressed[0] == counts[0]
    assert compressed[1] <= MOST_BYTES.get(name, share) * counts[1]


def _counts_and_bytes(model, features):
    model(features, training=False)
    return model.parameter_counts(), stored_bytes(model)


def _mean_difference(found, expected):
    return np.abs(found - expected).mean() / np.abs(expected).mean()


@pytest.mark.parametrize("block_size", [0, 16])
def test_4_bits_store_two_weights_in_a_byte(block_size):
    model, features = model_and_features("vanilla", Form.ENCODER)
    before, counts = hidden_states(model, features), _counts_and_bytes(model, features)
    INT4.compress(model, context_of("int4", {"block_size": block_size}))
    after, compressed = hidden_states(model, features), _counts_and_bytes(model, features)
    assert 0.01 < _mean_difference(after, before) < 0.3
    assert compressed[0] == counts[0]
    assert compressed[1] <= (0.2 if block_size == 0 else 0.3) * counts[1]


def plain_keras_model(model, length):
    """Return the one layer of the control without mixing, in Keras alone, with its weights.

    The pairs of our layers and Keras's come with it.
    """
    stack, embedding = model.backbone.encoder, model.backbone.encoder_embedding
    layer, tokens = stack.layers[0], embedding.tokens
    ids = keras.Input((length,), dtype="int32")
    table = keras.layers.Embedding(tokens.input_dim, tokens.output_dim)
    states = table(ids) * embedding.scale
    added = embedding(ops.zeros((1, length), "int32")) - table_row(tokens) * embedding.scale
    states = states + ops.convert_to_numpy(added)
    up = keras.layers.Dense(layer.up_projection.units, "relu")
    down = keras.layers.Dense(layer.down_projection.units)
    norm = keras.layers.LayerNormalization(epsilon=layer.epsilon)
    head = keras.layers.Dense(3)
    plain = keras.Model(ids, head(norm(states + down(up(states)))))
    pairs = {
        table: tokens,
        up: layer.up_projection,
        down: layer.down_projection,
        norm: layer.feedforward_norm,
        head: model.head.scores,
    }
    for theirs, ours in pairs.items():
        theirs.set_weights(ours.get_weights())
    return plain, pairs


def table_row(tokens):
    return ops.convert_to_tensor(tokens.embeddings)[0]


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("method", [INT8, INT4])
def test_the_result_is_that_of_keras_on_a_plain_model_with_the_same_weights(method):
    model, features = model_and_features("identity", Form.ENCODER)
    model(features, training=False)
    plain, pairs = plain_keras_model(model, features["token_ids"].shape[1])
    expected = plain(features["token_ids"], training=False)
    found = model(features, training=False)
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (found, expected)), atol=1e-5)
    method.compress(model, context_of("int4", {}))
    plain.quantize("int8" if method is INT8 else "int4")
    found, quantized = (
        ops.convert_to_numpy(outputs)
        for outputs in (model(features, training=False), plain(features["token_ids"]))
    )
    for theirs, ours in pairs.items():
        for one, other in zip(theirs.get_weights(), ours.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    # The norms differ by rounding, so that a few inputs of the head may be rounded to another of
    # the 255 values.
    assert np.median(np.abs(found - quantized)) < 1e-5
    assert np.median(np.abs(quantized - ops.convert_to_numpy(expected))) > 1e-4


@pytest.mark.parametrize("name", ["vanilla", slow_unless(False, "transformer_xl"), "mamba2"])
def test_decoding_with_quantized_weights_equals_the_whole_pass(name):
    model, features = model_and_features(name, Form.DECODER)
    model(features, training=False)
    INT8.compress(model, context_of("int8", {}))
    ids = features["token_ids"][:, :6]
    whole, _ = model.backbone.decode(ids, training=False)
    state, steps = model.backbone.init_state(2, 6), []
    for position in range(6):
        newest, state = model.backbone.decode(
            ids[:, position : position + 1], state=state, position=position, training=False
        )
        steps.append(ops.convert_to_numpy(newest))
    # Inputs are rounded to 255 values: one between two of them may be rounded either way.
    difference = _mean_difference(np.concatenate(steps, axis=1), ops.convert_to_numpy(whole))
    assert difference < 0.005


@pytest.mark.usefixtures("eager", "few_scored_examples")
@pytest.mark.parametrize(
    "method", ["int8", pytest.param("int4:block_size=0", marks=pytest.mark.slow)]
)
def test_a_cell_measures_the_model_before_and_after(tmp_path, method):
    trained, compressed = run_planned(tmp_path, "language_modeling", "vanilla", method, steps=4)
    before = compressed["variants"]["trained"]
    assert before["metrics"]["validation"] == pytest.approx(trained["metrics"]["validation"])
    (metric,) = {"bits_per_character"} & compressed["metrics"]["validation"].keys()
    change = compressed["metrics"]["validation"][metric] - before["metrics"]["validation"][metric]
    assert 0 < abs(change) < 0.5
    bytes_before, bytes_after = (
        figures["measurements"]["inference"]["weight_bytes"]["value"]
        for figures in (before, compressed)
    )
    assert bytes_after < 0.4 * bytes_before
    assert compressed["parameter_counts"] == trained["parameter_counts"]


@pytest.mark.slow
@pytest.mark.usefixtures("few_scored_examples")
def test_a_quantized_model_generates(tmp_path):
    """The answers of validation are decoded token by token, with the tied table in 8 bits."""
    _, compressed = run_planned(tmp_path, "translation", "vanilla", "int8")
    assert compressed["status"] == "ok"
    assert compressed["metrics"]["validation"].keys() >= {"bleu", "chrf"}
