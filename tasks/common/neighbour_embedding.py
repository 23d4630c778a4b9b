"""Bytes, characters or symbols, embedded with those beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

REACH = 3
"""How many on either side a neighbourhood has: of letters about a word."""


class NeighbourEmbedding(keras.layers.Layer):
    """Embeds a token, and adds what a convolution finds in it and those on either side.

    A letter or a bracket alone tells nothing; sequences of them do, which attention is slow to
    learn to compose. The convolution is that of Kim et al. 2016, "Character-Aware Neural Language
    Models", section 2.2, of one width, and without their maximum over a word: there is still a
    position a token.

    In: `token_ids`, `padding_mask` (batch, n). Out: (batch, n, width) of about unit variance. Time
    and memory O(n).
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
        """Embed."""
        embeddings = self.norm(self.tokens(features["token_ids"]))
        real = ops.cast(features["padding_mask"], embeddings.dtype)[:, :, None]
        return self.output_norm(embeddings + self.neighbours(embeddings * real))
