"""The encoder stack of the original Transformer, around any attention of a sequence to itself.

Vaswani et al. 2017, section 3.1: each sub-layer is LayerNorm(x + Sublayer(x)); dropout on the
sub-layers' outputs and on the embeddings (section 5.4), none on attention weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from suite.contracts import BuildRequest, Inputs


class EncoderLayer(keras.layers.Layer):
    """One layer: attention, then a feed-forward network, each added to its input and normalised.

    `attention` maps (hidden states, padding mask, …) to hidden states; d_ff is
    `feedforward_width`. In and out: (batch, n, width). Beside the attention's cost, time and memory
    O(n).
    """

    def __init__(
        self, attention: Any, feedforward_width: int, activation: str, dropout: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.attention = attention
        self.feedforward_width = feedforward_width
        self.activation = activation
        self.dropout_rate = dropout
        self.attention_dropout = keras.layers.Dropout(dropout)
        self.feedforward_dropout = keras.layers.Dropout(dropout)
        self.attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feedforward_norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the feed-forward network."""
        wide = (*input_shape[:-1], self.feedforward_width)
        self.expand = keras.layers.Dense(self.feedforward_width, self.activation)
        self.contract = keras.layers.Dense(input_shape[-1])
        self.attention.build(input_shape)
        self.expand.build(input_shape)
        self.contract.build(wide)
        self.attention_norm.build(input_shape)
        self.feedforward_norm.build(input_shape)

    def call(self, hidden_states: Any, training: bool | None = None, **masks: Any) -> Any:
        """Mix along the sequence, then at each position."""
        mixed = self.attention(hidden_states, **masks)
        hidden_states = self.attention_norm(
            hidden_states + self.attention_dropout(mixed, training=training)
        )
        contracted = self.contract(self.expand(hidden_states))
        return self.feedforward_norm(
            hidden_states + self.feedforward_dropout(contracted, training=training)
        )


class PostNormEncoder(keras.layers.Layer):
    """A backbone: token embedding where asked for, positions, and a stack of encoder layers.

    `make_attention()` gives each layer its own attention; `add_positions` maps embeddings
    (batch, n, width) to embeddings with positions. Token embeddings are multiplied by √width
    (section 3.4) where `scale_embeddings`.
    """

    def __init__(
        self,
        request: BuildRequest,
        make_attention: Callable[[], Any],
        add_positions: Callable[[Any], Any],
        *,
        activation: str,
        scale_embeddings: bool,
        takes_global_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        size = request.model_size
        self.width = size.width
        self.takes_global_mask = takes_global_mask
        self.scale_embeddings = scale_embeddings
        self.add_positions = add_positions
        self.dropout = keras.layers.Dropout(request.dropout)
        self.token_embedding = None
        if request.inputs is Inputs.TOKEN_IDS:
            assert request.vocabulary_size is not None
            self.token_embedding = keras.layers.Embedding(
                request.vocabulary_size,
                size.width,
                embeddings_initializer=keras.initializers.RandomNormal(stddev=size.width**-0.5),
            )
        self.encoder_layers = [
            EncoderLayer(make_attention(), size.feedforward_width, activation, request.dropout)
            for _ in range(size.num_layers)
        ]

    def encode(
        self,
        inputs: Any,
        padding_mask: Any = None,
        state: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Give the hidden states (batch, n, width) of token ids or embeddings; keeps no state."""
        embeddings = inputs
        if self.token_embedding is not None:
            embeddings = self.token_embedding(inputs)
            if self.scale_embeddings:
                embeddings = embeddings * self.width**0.5
        hidden_states = self.dropout(self.add_positions(embeddings), training=training)
        masks = {"padding_mask": padding_mask}
        if self.takes_global_mask:
            masks["global_mask"] = global_mask
        for layer in self.encoder_layers:
            hidden_states = layer(hidden_states, training=training, **masks)
        return hidden_states, None

    def call(self, inputs: Any, padding_mask: Any = None, training: bool | None = None) -> Any:
        """Encode, and leave the state out."""
        return self.encode(inputs, padding_mask, training=training)[0]
