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


class ExampleHead(keras.layers.Layer):
    """Scores classes of a whole example by the mean and the maximum over its real positions.

    In: hidden states (batch, n, width) and `features["padding_mask"]` (batch, n). Out: (batch,
    units). Time and memory O(n).
    """

    def __init__(self, units: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dropout = keras.layers.Dropout(dropout)
        self.scores = keras.layers.Dense(units)

    def call(
        self, hidden_states: Any, features: Mapping[str, Any], training: bool | None = None
    ) -> Any:
        """Pool and score."""
        real = features["padding_mask"][:, :, None]
        weights = ops.cast(real, hidden_states.dtype)
        mean = ops.sum(hidden_states * weights, axis=1) / ops.sum(weights, axis=1)
        highest = ops.max(ops.where(real, hidden_states, -1e9), axis=1)
        pooled = ops.concatenate([mean, highest], axis=-1)
        return self.scores(self.dropout(pooled, training=training))
