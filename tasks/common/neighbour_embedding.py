"""An embedding of short tokens together with their neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

REACH = 3
"""The number of neighbours on either side: for letters, about a word."""


class NeighbourEmbedding(keras.layers.Layer):
    """Embeds bytes, characters or symbols and adds a convolution over their neighbours.

    A single letter or bracket carries little information. Attention is slow to learn to compose
    such tokens; a convolution is not. The convolution is that of Kim et al. 2016, "Character-Aware
    Neural Language Models", section 2.2, with one width and without the maximum over a word, so
    every token keeps its position.

    Input: `token_ids`, `padding_mask` (batch, n). Output: (batch, n, width) of about unit
    variance. Time and memory O(n).
    """

    def __init__(self, vocabulary_size: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tokens = keras.layers.Embedding(vocabulary_size, width)
        self.neighbours = keras.layers.Conv1D(
            width, 2 * REACH + 1, padding="same", activation="relu"
        )
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.output_norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Return the embeddings."""
        embeddings = self.norm(self.tokens(features["token_ids"]))
        real = ops.cast(features["padding_mask"], embeddings.dtype)[:, :, None]
        return self.output_norm(embeddings + self.neighbours(embeddings * real))
