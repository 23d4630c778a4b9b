"""Decoders and encoders with a planted fault, as somebody might give them."""

import keras
from keras import ops

WIDTH, VOCABULARY = 8, 40


class Mean(keras.layers.Layer):
    """A causal mean, or the mean of real positions; `fault` names what is wrong with it."""

    def __init__(self, fault="", **kwargs):
        super().__init__(**kwargs)
        self.fault = fault

    def call(self, states, real=None, training=None):
        if real is None:
            counts = ops.cast(ops.arange(1, ops.shape(states)[1] + 1), "float32")[None, :, None]
            means = ops.cumsum(states, axis=1) / counts
            if self.fault == "look-ahead":  # position 65 sees the last position
                is_blind = ops.arange(ops.shape(states)[1])[None, :, None] != 65
                means = ops.where(is_blind, means, means + states[:, -1:])
            return means
        real = ops.cast(real, "float32")[:, :, None]
        if self.fault == "padding in training" and training:
            real = ops.ones_like(real)
        if self.fault == "mixing":
            states = states + 0.1 * ops.mean(states, axis=0, keepdims=True)
        return states + ops.sum(states * real, axis=1, keepdims=True) / ops.sum(
            real, 1, keepdims=True
        )


def _decoder(fault=""):
    tokens = keras.Input((None,), dtype="int32")
    states = keras.layers.Embedding(VOCABULARY, WIDTH)(tokens)
    return keras.Model(tokens, keras.layers.Dense(VOCABULARY)(states + Mean(fault)(states)))


def _encoder(fault=""):
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="int32", name="padding_mask")
    states = Mean(fault)(keras.layers.Embedding(VOCABULARY, WIDTH)(tokens), real=mask)
    return keras.Model({"token_ids": tokens, "padding_mask": mask}, keras.layers.Dense(4)(states))


def sound_decoder():
    return _decoder()


def looks_ahead():
    return _decoder("look-ahead")


def sound_encoder():
    return _encoder()


def leaks_padding_in_training():
    return _encoder("padding in training")


def mixes_the_batch():
    return _encoder("mixing")
