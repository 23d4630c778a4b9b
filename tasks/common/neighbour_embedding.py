"""Convolutions over neighbouring positions: options of the open track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

REACH = 3
"""The number of neighbours on either side: for letters, about a word."""


class NeighbourConvolution(keras.layers.Layer):
    """Adds a convolution over neighbouring positions to embeddings, and normalises the sum.

    Input: embeddings (batch, n, width) and a padding mask (batch, n). Output: (batch, n, width) of
    about unit variance. Padding reaches no other position. Time and memory O(n).
    """

    def __init__(self, width: int, reach: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv1D(
            width, 2 * reach + 1, padding="same", activation="relu"
        )
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def call(self, embeddings: Any, padding_mask: Any) -> Any:
        """Return the embeddings with their neighbours."""
        read = ops.where(padding_mask[:, :, None], embeddings, 0.0)
        return self.norm(embeddings + self.convolution(read))


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
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.neighbours = NeighbourConvolution(width, REACH)

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Return the embeddings."""
        embeddings = self.norm(self.tokens(features["token_ids"]))
        return self.neighbours(embeddings, features["padding_mask"])
