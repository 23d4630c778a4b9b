"""The layer that embeds words by their features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tasks.common.neighbour_embedding import NeighbourConvolution
from tasks.ner.word_features import MAX_CHARACTERS, NUM_AFFIXES

AFFIX_WIDTH = 32
CHARACTER_WIDTH = 32
CHARACTER_FILTERS = 96
COLUMN_WIDTH = 32
DROPOUT = 0.5
"""The dropout of word embeddings (Ma and Hovy 2016, section 3.2)."""
REACH = 2
"""The number of neighbouring words on either side that the convolution over words reaches."""


class WordEmbedding(keras.layers.Layer):
    """Embeds a word by its identity, shape, affixes and characters.

    The characters pass through a convolution of width 3 and a maximum over the word, as in Ma and
    Hovy 2016, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF", section 2.1. An
    embedding depends only on its own word. With `neighbours`, a convolution adds information from
    two words on either side.

    Input: `word_ids`, `shape_ids`, `padding_mask`, `sentence_starts` (batch, n), `affix_ids`
    (batch, n, 6), `character_ids` (batch, n, 16), and `column_ids` (batch, n, columns) if `sizes`
    has "columns". Output: (batch, n, width) of about unit variance. Time and memory O(n).
    """

    def __init__(
        self, sizes: Mapping[str, int], width: int, *, neighbours: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.words = keras.layers.Embedding(sizes["words"], width)
        self.shapes = keras.layers.Embedding(sizes["shapes"], width)
        self.starts = keras.layers.Embedding(2, width)
        self.affixes = keras.layers.Embedding(sizes["affixes"], AFFIX_WIDTH)
        self.characters = keras.layers.Embedding(sizes["characters"], CHARACTER_WIDTH)
        self.columns = (
            keras.layers.Embedding(sizes["columns"], COLUMN_WIDTH) if "columns" in sizes else None
        )
        self.convolution = keras.layers.Conv1D(CHARACTER_FILTERS, 3, padding="same")
        self.spelling = keras.layers.Dense(width)
        self.dropout = keras.layers.Dropout(DROPOUT)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.neighbours = NeighbourConvolution(width, REACH) if neighbours else None

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Return the embeddings."""
        batch, length = features["word_ids"].shape
        affixes = self.affixes(features["affix_ids"])
        spelling = [
            ops.reshape(affixes, (batch, length, NUM_AFFIXES * AFFIX_WIDTH)),
            self._embed_characters(features["character_ids"]),
        ]
        if self.columns:
            columns = self.columns(features["column_ids"])
            spelling.append(ops.reshape(columns, (batch, length, -1)))
        embeddings = (
            self.words(features["word_ids"])
            + self.shapes(features["shape_ids"])
            + self.starts(ops.cast(features["sentence_starts"], "int32"))
            + self.spelling(ops.concatenate(spelling, axis=-1))
        )
        embeddings = self.dropout(self.norm(embeddings), training=training)
        if self.neighbours:
            embeddings = self.neighbours(embeddings, features["padding_mask"])
        return embeddings

    def _embed_characters(self, character_ids: Any) -> Any:
        """Convolve and take the maximum: (batch, n, 16) to (batch, n, filters)."""
        length = character_ids.shape[1]
        rows = ops.reshape(character_ids, (-1, MAX_CHARACTERS))
        pooled = ops.max(ops.relu(self.convolution(self.characters(rows))), axis=1)
        return ops.reshape(pooled, (-1, length, CHARACTER_FILTERS))
