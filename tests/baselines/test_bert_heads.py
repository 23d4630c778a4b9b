"""BERT's heads: their outputs, and that unused heads have no weights."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.plugins import ARCHITECTURES, find_plugin

SIZE = ModelSize("case", 1, 12, 3, 20)
VOCABULARY = 17


def make(inputs: Inputs = Inputs.TOKEN_IDS):
    vocabulary = VOCABULARY if inputs is Inputs.TOKEN_IDS else None
    request = BuildRequest(Form.ENCODER, inputs, SIZE, 9, {}, vocabulary_size=vocabulary)
    return find_plugin(ARCHITECTURES, "bert").build(request)


def count(layer) -> int:
    return sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)


@pytest.fixture
def encoded():
    bert = make()
    token_ids = np.random.default_rng(0).integers(VOCABULARY, size=(2, 9)).astype("int32")
    return bert, token_ids, bert.encode(token_ids)[0]


def test_unused_heads_create_no_weights(encoded):
    bert, _, states = encoded
    before = count(bert)
    bert.summarize(states)
    pooler = 12 * 12 + 12
    assert count(bert) == before + pooler
    bert.score_next_sentence(states)
    assert count(bert) == before + pooler + 12 * 2 + 2
    bert.score_tokens(states)
    transform = 12 * 12 + 12 + 2 * 12 + VOCABULARY
    assert count(bert) == before + pooler + 12 * 2 + 2 + transform


def test_the_pooler_is_tanh_over_the_first_position(encoded):
    bert, _, states = encoded
    pooled = ops.convert_to_numpy(bert.summarize(states))
    kernel, bias = map(ops.convert_to_numpy, (bert.pooler.dense.kernel, bert.pooler.dense.bias))
    expected = np.tanh(ops.convert_to_numpy(states)[:, 0] @ kernel + bias)
    np.testing.assert_allclose(pooled, expected, atol=1e-5)
    assert bert.score_next_sentence(states).shape == (2, 2)


def test_words_are_scored_with_the_transposed_embedding(encoded):
    bert, _, states = encoded
    scores = ops.convert_to_numpy(bert.score_tokens(states))
    assert scores.shape == (2, 9, VOCABULARY)
    words = bert.encoder_embedding.tokens.embeddings
    words.assign(ops.zeros(words.shape))
    bias = np.arange(VOCABULARY, dtype="float32")
    bert.token_transform.bias.assign(bias)
    again = ops.convert_to_numpy(bert.score_tokens(states))
    np.testing.assert_allclose(again, np.broadcast_to(bias, again.shape), atol=1e-6)


def test_token_types_change_the_hidden_states(encoded):
    bert, token_ids, states = encoded
    types = np.zeros((2, 9), "int32")
    same = ops.convert_to_numpy(bert.encode(token_ids, token_types=types)[0])
    np.testing.assert_allclose(same, ops.convert_to_numpy(states), atol=1e-6)
    types[:, 5:] = 1
    other = ops.convert_to_numpy(bert.encode(token_ids, token_types=types)[0])
    assert np.abs(other - same).max() > 1e-3
