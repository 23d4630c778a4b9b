"""The head that also reads the states at the entities: an option of the open track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tasks.common.heads import ExampleHead


class EntityHead(keras.layers.Layer):
    """Adds scores of the states at <e1> and <e2> to those of the mean over positions.

    Baldini Soares et al. 2019, "Matching the Blanks: Distributional Similarity for Relation
    Learning", section 3.2: the state of a relation is the concatenation of the states at the
    beginnings of both entities.

    Input: hidden states (batch, n, width) and `features["entity_starts"]` (batch, 2). Output:
    (batch, units). Time and memory O(n).
    """

    def __init__(self, units: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mean = ExampleHead(units, dropout)
        self.dropout = keras.layers.Dropout(dropout)
        self.entities = keras.layers.Dense(units, use_bias=False)

    def call(
        self, hidden_states: Any, features: Mapping[str, Any], training: bool | None = None
    ) -> Any:
        """Return the scores of every example."""
        # With a class token, the states of the positions are apart.
        states = features.get("position_states", hidden_states)
        batch, _, width = states.shape
        starts = ops.take_along_axis(states, features["entity_starts"][:, :, None], axis=1)
        entities = self.dropout(ops.reshape(starts, (batch, 2 * width)), training=training)
        return self.mean(hidden_states, features, training=training) + self.entities(entities)
