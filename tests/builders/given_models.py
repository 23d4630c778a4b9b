"""Models that somebody might give: each function returns one, or fails in a way of its own."""

import os
import signal
import time

import keras


def convolution(vocabulary=40):
    tokens = keras.Input((None,), dtype="int32")
    states = keras.layers.Embedding(vocabulary, 8)(tokens)
    states += keras.layers.Conv1D(8, 5, padding="causal", activation="gelu")(states)
    return keras.Model(tokens, keras.layers.Dense(vocabulary)(states))


def recurrent_layer():
    print("a line on standard output")
    return keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))


def pooled_vectors():
    vectors = keras.Input((None, 6))
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Dense(4)(vectors))
    return keras.Model(vectors, keras.layers.Dense(1)(pooled))


def ten_features():
    features = keras.Input((10,))
    return keras.Model(features, keras.layers.Dense(3)(features))


def needs_a_width(width):
    return keras.layers.Dense(width)


def raises():
    raise ValueError("no such\nthing")


def returns_a_number():
    return 3


def exits():
    raise SystemExit(3)


def crashes():
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves():
    os._exit(7)


def reads_the_input():
    return input()


def never_ends():
    time.sleep(600)


def prints_without_end():
    while True:
        print("a line on standard output")


def event_types():
    """Return an encoder whose only input has a name that others give to segments."""
    tokens = keras.Input((None,), dtype="int32", name="event_types")
    embedded = keras.layers.Embedding(40, 8)(tokens)
    return keras.Model(tokens, keras.layers.Conv1D(8, 3, padding="same")(embedded))


def one_score_each():
    """Return a model whose output is one score for each position: (batch, n)."""
    tokens = keras.Input((None,), dtype="int32")
    scores = keras.layers.Dense(1)(keras.layers.Embedding(40, 8)(tokens))
    return keras.Model(tokens, keras.ops.squeeze(scores, axis=-1))


def relative_positions():
    """Return a model with a table of distances, of which there are fewer than positions."""
    tokens = keras.Input((None,), dtype="int32")
    distances = keras.layers.Embedding(8, 8, name="relative_position_bias")(tokens % 8)
    return keras.Model(tokens, keras.layers.Embedding(40, 8)(tokens) + distances)


class _BlockMeans(keras.layers.Layer):
    def call(self, states):
        blocks = keras.ops.reshape(states, (-1, keras.ops.shape(states)[1] // 16, 16, 8))
        means = keras.ops.mean(blocks, axis=2, keepdims=True)
        return keras.ops.reshape(blocks + means, keras.ops.shape(states))

    def compute_output_shape(self, input_shape):  # JAX cannot infer it for an unknown length
        return input_shape


def block_encoder():
    """Return a model that mixes the positions of each block of 16."""
    tokens = keras.Input((None,), dtype="int32")
    return keras.Model(tokens, _BlockMeans()(keras.layers.Embedding(40, 8)(tokens)))


class _Random(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.seed = keras.random.SeedGenerator()

    def call(self, inputs):
        return keras.random.dropout(inputs, 0.5, seed=self.seed)


def other_outputs_each_time():
    return keras.Sequential([keras.layers.Embedding(40, 8), _Random()])


class _NotANumber(keras.layers.Layer):
    def call(self, inputs):
        return inputs * float("nan")


def not_a_number():
    return keras.Sequential([keras.layers.Embedding(40, 8), _NotANumber()])


def words_and_tags():
    """Return a model of two inputs of tokens, of which the second has a small vocabulary."""
    words, tags = (keras.Input((None,), dtype="int32", name=name) for name in ("words", "tags"))
    embedded = keras.layers.Embedding(40, 8)(words) + keras.layers.Embedding(5, 8)(tags)
    return keras.Model([words, tags], embedded)


def in_bfloat16():
    tokens = keras.Input((None,), dtype="int32")
    return keras.Model(tokens, keras.layers.Embedding(40, 8, dtype="mixed_bfloat16")(tokens))


def brisk_convolution(vocabulary=40):
    """Return the convolution, and let its process measure as little as a record may hold."""
    from tests.fakes.baselines.hasty import measure_briefly

    measure_briefly()
    return convolution(vocabulary)


def brisk_reader():
    """Return the convolution with a vocabulary of bytes."""
    return brisk_convolution(256)
