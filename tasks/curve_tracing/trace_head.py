"""An output layer that scores an example and each of its positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops


class ExampleAndPositionsHead(keras.layers.Layer):
    """Scores a whole example with a given head, and every position with one logit.

    Input: hidden states (batch, n, width). For an architecture with a class token, the hidden
    states are (batch, 1, width) and `features["position_states"]` is (batch, n, width). Output:
    (batch, units + n), the example's scores first. Time and memory O(n).
    """

    def __init__(self, example_head: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.example_head = example_head
        self.position_scores = keras.layers.Dense(1)

    def call(
        self, hidden_states: Any, features: Mapping[str, Any], training: bool | None = None
    ) -> Any:
        """Return both kinds of scores, concatenated."""
        scores = self.example_head(hidden_states, features, training=training)
        states = features.get("position_states", hidden_states)
        return ops.concatenate([scores, self.position_scores(states)[:, :, 0]], axis=1)
