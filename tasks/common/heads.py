"""Heads that several tasks share: scores at every position, or of a whole example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops


class PositionHead(keras.layers.Dense):
    """Scores classes at every position.

    In: hidden states (batch, n, width). Out: (batch, n, units). Time and memory O(n).
    """

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        """Score."""
        return super().call(hidden_states)


class TiedHead(keras.layers.Layer):
    """Scores token ids at every position by the table that embeds them, and a bias of each.

    Press and Wolf 2017, "Using the Output Embedding to Improve Language Models". In: hidden states
    (batch, n, width). Out: (batch, n, ids). Time and memory O(n).
    """

    def tie(self, table: Any) -> None:
        """Take the embedding layer whose table it is."""
        self._tables = [table]
        self.bias = self.add_weight((table.input_dim,), "zeros", name="bias")

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        """Score."""
        table = ops.cast(self._tables[0].embeddings, hidden_states.dtype)
        return ops.matmul(hidden_states, ops.transpose(table)) + ops.cast(self.bias, table.dtype)


class ExampleHead(keras.layers.Layer):
    """Scores classes of a whole example by the mean over its real positions.

    The mean and nothing beside it: dropout's noise lifts the largest of n values in training, by
    more the longer the sequence, and not in evaluation, which would so be of another model. In:
    hidden states (batch, n, width) and `features["padding_mask"]` (batch, n). Out: (batch, units).
    Time and memory O(n).
    """

    def __init__(self, units: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dropout = keras.layers.Dropout(dropout)
        self.scores = keras.layers.Dense(units)

    def call(
        self, hidden_states: Any, features: Mapping[str, Any], training: bool | None = None
    ) -> Any:
        """Pool and score."""
        weights = ops.cast(features["padding_mask"][:, :, None], hidden_states.dtype)
        pooled = ops.sum(hidden_states * weights, axis=1) / ops.sum(weights, axis=1)
        return self.scores(self.dropout(pooled, training=training))


class ExampleAndPositionsHead(keras.layers.Layer):
    """Scores a whole example by another head, and asks one thing of every position beside.

    In: hidden states (batch, n, width), of a class token alone (batch, 1, width) and with
    `features["position_states"]` (batch, n, width). Out: (batch, units + n), the example's scores
    first. Time and memory O(n).
    """

    def __init__(self, example: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.example = example
        self.positions = keras.layers.Dense(1)

    def call(
        self, hidden_states: Any, features: Mapping[str, Any], training: bool | None = None
    ) -> Any:
        """Score both."""
        scores = self.example(hidden_states, features, training=training)
        states = features.get("position_states", hidden_states)
        return ops.concatenate([scores, self.positions(states)[:, :, 0]], axis=1)
