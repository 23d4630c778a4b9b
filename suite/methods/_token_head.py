"""The output layer of pretraining."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops


class TokenHead(keras.layers.Layer):
    """Scores token ids with the token embedding's table, after a dense layer, GELU and a norm.

    This is the head of masked language models in the code of Devlin et al. 2019. It scores the
    positions (batch, k) in `features["masked_positions"]`, or all n without them. Input: hidden
    states (batch, n, width). Output: (batch, k, token ids). Time and memory O(k).
    """

    def tie(self, table: Any) -> None:
        """Share the weights of an embedding layer."""
        self._tables = [table]
        self.bias = self.add_weight((table.input_dim,), "zeros", name="bias")

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        self.transform = keras.layers.Dense(input_shape[-1], "gelu")
        self.norm = keras.layers.LayerNormalization()
        for part in (self.transform, self.norm):
            part.build(input_shape)

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        """Return the scores."""
        if "masked_positions" in features:
            chosen = ops.expand_dims(features["masked_positions"], -1)
            hidden_states = ops.take_along_axis(hidden_states, chosen, axis=1)
        states = self.norm(self.transform(hidden_states))
        table = ops.cast(self._tables[0].embeddings, states.dtype)
        return ops.matmul(states, ops.transpose(table)) + ops.cast(self.bias, states.dtype)
