"""Output layers that several tasks share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops


class PositionHead(keras.layers.Layer):
    """Scores classes at every position by one dense layer.

    Input: hidden states (batch, n, width). Output: (batch, n, units). Time and memory O(n).
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scores = keras.layers.Dense(units)

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        """Return the scores of every position."""
        return self.scores(hidden_states)


class ExampleHead(keras.layers.Layer):
    """Scores classes of a whole example from the mean over its real positions.

    The head deliberately has no maximum over positions. In training, dropout noise raises the
    maximum of n values, and the more so the longer the sequence. In evaluation there is no such
    noise, so the scores would be shifted.

    Input: hidden states (batch, n, width) and `features["padding_mask"]` (batch, n). Output:
    (batch, units). Time and memory O(n).
    """

    def __init__(self, units: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dropout = keras.layers.Dropout(dropout)
        self.scores = keras.layers.Dense(units)

    def call(
        self, hidden_states: Any, features: Mapping[str, Any], training: bool | None = None
    ) -> Any:
        """Return the scores of every example."""
        real = features["padding_mask"][:, :, None]
        states = ops.where(real, ops.cast(hidden_states, "float32"), 0.0)
        count = ops.sum(ops.cast(real, "float32"), axis=1)
        pooled = ops.cast(ops.sum(states, axis=1) / ops.maximum(count, 1.0), hidden_states.dtype)
        return self.scores(self.dropout(pooled, training=training))
