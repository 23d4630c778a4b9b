"""Architectures that break one rule each, and a sound one: what the conformance kit must find.

Each layer of the sound one adds a network of a position, of the position before it, and of a mean:
in the encoder over all real positions, in the decoder over the positions so far.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import Architecture, BuildRequest, Form, Inputs


class Backbone(keras.layers.Layer):
    """A small decoder and encoder that passes every check."""

    def __init__(self, request: BuildRequest) -> None:
        super().__init__()
        size = request.model_size
        self.width, self.rate, self.longest = size.width, request.dropout, request.sequence_length
        self.embed = keras.layers.Embedding(request.vocabulary_size, size.width)
        self.embedding_layers = [self.embed]
        # As many weights as attention and the feed-forward network of `vanilla`.
        wide = size.width + size.feedforward_width // 2
        self.expand = [keras.layers.Dense(wide, "gelu") for _ in range(size.num_layers)]
        self.shrink = [keras.layers.Dense(size.width) for _ in range(size.num_layers)]
        self.norms = [keras.layers.LayerNormalization() for _ in range(size.num_layers)]
        self.dropout = keras.layers.Dropout(self.rate)

    def encode(self, inputs, padding_mask=None, state=None, global_mask=None, training=None):
        states = self.dropout(self.embed(inputs), training=training)
        real = self.real_positions(padding_mask, states)
        for layer in range(len(self.expand)):
            mean = ops.sum(states * real, axis=1, keepdims=True)
            mean = mean / ops.sum(real, axis=1, keepdims=True)
            states = self.mix(layer, states, real, ops.zeros_like(states) + mean)
        return states, None

    def real_positions(self, padding_mask, states):
        if padding_mask is None:
            return ops.ones_like(states[:, :, :1])
        return ops.cast(padding_mask, states.dtype)[:, :, None]

    def mix(self, layer, states, real, mean):
        before = ops.pad((states * real)[:, :-1], ((0, 0), (1, 0), (0, 0)))
        together = ops.concatenate([states, before, mean], axis=-1)
        return self.norms[layer](states + self.shrink[layer](self.expand[layer](together)))

    def decode(self, target, encoder_output=None, encoder_mask=None, padding_mask=None, state=None,
               position=0, training=None):  # fmt: skip
        """Keep all tokens as state, and decode them again in each step."""
        if state is not None:
            state = target if position == 0 else ops.concatenate([state, target], axis=1)
            target = state
        states = self.dropout(self.embed(target), training=training)
        real = self.real_positions(padding_mask, states)
        for layer in range(len(self.expand)):
            states = self.mix(layer, states, real, self.mean_so_far(states, real))
        return states[:, position:], state

    def mean_so_far(self, states, real):
        return ops.cumsum(states * real, axis=1) / ops.maximum(ops.cumsum(real, axis=1), 1)

    def init_state(self, batch_size, max_length):
        return ops.zeros((batch_size, 0), "int32")


class Sound(Architecture):
    """Passes every check; the broken architectures have another backbone."""

    version = 1
    title = "Sound"
    paper = "none"
    forms = frozenset({Form.ENCODER, Form.DECODER})
    inputs = frozenset({Inputs.TOKEN_IDS})
    claimed_time = "n"
    claimed_memory = "n"
    probe_only = True
    backbone = Backbone

    def assemble(self, request: BuildRequest) -> Any:
        return self.backbone(request)


ALL = {"sound": Sound()}
"""The architectures by name: that of the class of the backbone, with underlines."""


def broken(*forms: Form, **declared: Any) -> Callable[[type], type]:
    """Register the architecture of a broken backbone."""

    def register(backbone: type) -> type:
        fields = {"backbone": backbone, "forms": frozenset(forms) or Sound.forms, **declared}
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", backbone.__name__).lower()
        ALL[name] = type(backbone.__name__, (Sound,), fields)()
        return backbone

    return register


@broken(Form.ENCODER)
class ChangesOnReload(Backbone):
    """Draws a scale that is not saved with the weights."""

    def __init__(self, request):
        super().__init__(request)
        self.unsaved = np.random.uniform(0.5, 1.5, self.width).astype("float32")

    def mix(self, layer, *given):
        return super().mix(layer, *given) * self.unsaved


@broken(Form.DECODER)
class CountsLaterPadding(Backbone):
    """Decodes with the number of all real positions of a mask, later ones among them."""

    def decode(self, target, padding_mask=None, **given):
        states, state = super().decode(target, padding_mask=padding_mask, **given)
        if padding_mask is not None:
            share = ops.mean(ops.cast(padding_mask, states.dtype), axis=1)
            states = states * share[:, None, None]
        return states, state


@broken(Form.ENCODER)
class CountsPadding(Backbone):
    """Multiplies the hidden states by the share of real positions."""

    def encode(self, inputs, padding_mask=None, **given):
        share = ops.mean(ops.cast(padding_mask, "float32"), axis=1)
        states, state = super().encode(inputs, padding_mask=padding_mask, **given)
        return states * ops.cast(share, states.dtype)[:, None, None], state


@broken(Form.DECODER)
class DecodesOtherwise(Backbone):
    """Forgets all but the last four tokens while it decodes in steps."""

    def decode(self, target, state=None, position=0, **given):
        if state is not None and position > 4:
            state = state[:, -4:]
        return super().decode(target, state=state, position=min(position, 4), **given)


@broken(Form.DECODER)
class DecodesToNan(Backbone):
    """Returns NaN for all but the first part while it decodes in steps."""

    def decode(self, target, state=None, position=0, **given):
        states, state = super().decode(target, state=state, position=position, **given)
        return states * float("nan") if position else states, state


@broken(Form.ENCODER)
class DropsInEvaluation(Backbone):
    """Applies its dropout in evaluation too."""

    def encode(self, inputs, training=None, **given):
        return super().encode(inputs, training=True, **given)


@broken()
class FailsFarOut(Backbone):
    """Fails where a short pass with padding on the right cannot see it.

    The encoder mixes the batch from position 64 and from the fourth example on, and in training it
    leaks padding on the left. The decoder looks ahead from position 64 on.
    """

    def encode(self, inputs, padding_mask=None, training=None, **given):
        given |= {"padding_mask": padding_mask, "training": training}
        states, state = super().encode(inputs, **given)
        real = self.real_positions(padding_mask, states)
        if training:
            left = ops.cast(ops.equal(ops.cumsum(real, axis=1), 0), states.dtype)
            states = states + 0.1 * ops.sum(self.embed(inputs) * left, axis=1, keepdims=True)
        batch, length = inputs.shape[:2]
        is_far = (ops.arange(length) >= 64) | (ops.arange(batch)[:, None] >= 3)
        mean = ops.mean(states * real, axis=0, keepdims=True)
        return states + ops.cast(is_far, states.dtype)[:, :, None] * mean, state

    def mean_so_far(self, states, real):
        mean = super().mean_so_far(states, real)
        is_far = (ops.arange(states.shape[1]) >= 64)[None, :, None]
        return ops.where(is_far, mean[:, -1:], mean)


@broken(Form.ENCODER)
class ForgetsAGradient(Backbone):
    """Stops the gradient at the network of the first layer."""

    def __init__(self, request):
        super().__init__(request)
        self.first, *others = self.shrink
        self.shrink = [lambda states: ops.stop_gradient(self.first(states)), *others]


@broken(Form.ENCODER)
class IgnoresOrder(Backbone):
    """Puts the mean in the place of the position before."""

    def mix(self, layer, states, real, mean):
        together = ops.concatenate([states, mean, mean], axis=-1)
        return self.norms[layer](states + self.shrink[layer](self.expand[layer](together)))


@broken(Form.ENCODER)
class IsNotDeterministic(Backbone):
    """Seeds its dropout from the operating system."""

    def __init__(self, request):
        super().__init__(request)
        seed = int.from_bytes(os.urandom(3), "little")
        self.dropout = keras.layers.Dropout(self.rate, seed=seed)


@broken(Form.ENCODER)
class IsTooLarge(Backbone):
    """Has layers twice as wide as the feed-forward network of `vanilla`."""

    def __init__(self, request):
        size = request.model_size
        wider = replace(size, feedforward_width=2 * size.feedforward_width)
        super().__init__(replace(request, model_size=wider))


@broken(Form.ENCODER)
class KeepsState(Backbone):
    """Adds the mean of the inputs of the previous call in training to the hidden states."""

    def __init__(self, request):
        super().__init__(request)
        self.previous = self.add_weight((self.width,), "zeros", trainable=False)

    def encode(self, inputs, padding_mask=None, training=None, **given):
        given |= {"padding_mask": padding_mask, "training": training}
        states, state = super().encode(inputs, **given)
        if training:
            real = self.real_positions(padding_mask, states)
            states = states + 0.1 * ops.cast(self.previous, states.dtype)
            self.previous.assign(ops.mean(self.embed(inputs) * real, axis=(0, 1)))
        return states, state


@broken(Form.ENCODER, length_dependent_layout=True)
class LeaksPadding(Backbone):
    """Takes the mean over padded positions too. Its declared layout is no excuse."""

    def real_positions(self, padding_mask, states):
        return ops.ones_like(states[:, :, :1])


@broken(Form.DECODER)
class LooksAhead(Backbone):
    """Decodes with the mean over the whole target, which steps cannot know."""

    def mean_so_far(self, states, real):
        mean = ops.sum(states * real, axis=1) / ops.sum(real, axis=1)
        return ops.zeros_like(states) + mean[:, None]


@broken(Form.ENCODER)
class MixesTheBatch(Backbone):
    """Subtracts the mean over the real positions of a batch from the hidden states."""

    def encode(self, inputs, padding_mask=None, **given):
        states, state = super().encode(inputs, padding_mask=padding_mask, **given)
        real = self.real_positions(padding_mask, states)
        mean = ops.sum(states * real, axis=0) / ops.maximum(ops.sum(real, axis=0), 1.0)
        return states - 0.5 * mean, state


@broken(Form.ENCODER)
class NormalizesTheBatch(Backbone):
    """Normalises over the batch, in a layer that is not told whether it trains."""

    def __init__(self, request):
        super().__init__(request)
        self.normalize = keras.layers.BatchNormalization()

    def encode(self, inputs, **given):
        states, state = super().encode(inputs, **given)
        return self.normalize(states), state


@broken(Form.ENCODER)
class StopsAtItsLength(Backbone):
    """Loses the positions beyond its training length, and does not declare it."""

    def encode(self, *inputs, **others):
        states, state = super().encode(*inputs, **others)
        return states[:, : self.longest], state
