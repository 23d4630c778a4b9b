"""The output layers of pretraining.

They are the head of masked language models in the code of Devlin et al. 2019: a dense layer, GELU,
a norm, and scores. They score the positions (batch, k) in `features["masked_positions"]`, or all n
without them. Input: hidden states (batch, n, width). Output: (batch, k, ids). Time and memory O(k).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops


class _MaskedHead(keras.layers.Layer):
    """The layers before the scores."""

    def build(self, input_shape: Any) -> None:
        self.transform = keras.layers.Dense(input_shape[-1], "gelu")
        self.norm = keras.layers.LayerNormalization()
        for part in (self.transform, self.norm):
            part.build(input_shape)

    def transformed(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        """Return the states of the positions to score: (batch, k, width)."""
        if "masked_positions" in features:
            chosen = ops.expand_dims(features["masked_positions"], -1)
            hidden_states = ops.take_along_axis(hidden_states, chosen, axis=1)
        return self.norm(self.transform(hidden_states))


class TokenHead(_MaskedHead):
    """Scores token ids with the table of the token embedding."""

    def tie(self, table: Any) -> None:
        self._tables = [table]
        self.bias = self.add_weight((table.input_dim,), "zeros", name="bias")

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        states = self.transformed(hidden_states, features)
        table = ops.cast(self._tables[0].embeddings, states.dtype)
        return ops.matmul(states, ops.transpose(table)) + ops.cast(self.bias, states.dtype)


class WordHead(_MaskedHead):
    """Scores `num_ids` words by a dense layer: several features embed a word, not one table."""

    def __init__(self, num_ids: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scores = keras.layers.Dense(num_ids)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.scores.build(input_shape)

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        return self.scores(self.transformed(hidden_states, features))
