"""Base of the broken architectures: a small decoder and encoder that passes every check.

Each layer adds a network of a position, of the position before it, and of a mean: in the encoder
over all real positions, in the decoder over the positions so far.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class Sound(Architecture):
    """Builds `Backbone` of this module, unless a subclass has another."""

    version = 1
    title = "Sound"
    paper = "none"
    forms = frozenset({Form.ENCODER, Form.DECODER})
    inputs = frozenset({Inputs.TOKEN_IDS})
    claimed_time = "n"
    claimed_memory = "n"
    probe_only = True

    def assemble(self, request: BuildRequest) -> Any:
        return backbone_class()(request)


def backbone_class() -> type:
    """Return the class of the backbone; importing Keras takes seconds."""
    import keras
    from keras import ops

    class Backbone(keras.layers.Layer):
        def __init__(self, request: BuildRequest) -> None:
            super().__init__()
            size = request.model_size
            self.width = size.width
            self.embed = keras.layers.Embedding(request.vocabulary_size, size.width)
            self.embedding_layers = [self.embed]
            # As many weights as attention and the feed-forward network of `vanilla`.
            wide = size.width + size.feedforward_width // 2
            self.expand = [keras.layers.Dense(wide, "gelu") for _ in range(size.num_layers)]
            self.shrink = [keras.layers.Dense(size.width) for _ in range(size.num_layers)]
            self.norms = [keras.layers.LayerNormalization() for _ in range(size.num_layers)]
            self.dropout = keras.layers.Dropout(request.dropout)

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

        def decode(
            self,
            target,
            encoder_output=None,
            encoder_mask=None,
            padding_mask=None,
            state=None,
            position=0,
            training=None,
        ):
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

    return Backbone
