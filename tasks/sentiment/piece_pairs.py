"""Pairs of neighbouring pieces: which there are, and the layer that embeds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

NONE, UNKNOWN = range(2)
"""The ids of no pair (a text's first piece ends none) and of one that has no embedding."""
MIN_PAIR_COUNT = 2
_HIGH = np.int64(1 << 32)


class PiecePairs:
    """The pairs of neighbouring pieces that a training split has most often.

    At most `size` of them, each seen at least `MIN_PAIR_COUNT` times.
    """

    def __init__(self, rows: Sequence[np.ndarray], size: int) -> None:
        pairs, counts = np.unique(np.concatenate([_codes(row) for row in rows]), return_counts=True)
        often = np.argsort(-counts, kind="stable")[:size]
        self._pairs = np.sort(pairs[often[counts[often] >= MIN_PAIR_COUNT]])

    @property
    def num_ids(self) -> int:
        """How many ids there are, the two of no pair among them."""
        return len(self._pairs) + UNKNOWN + 1

    def encode(self, row: np.ndarray) -> np.ndarray:
        """Return for each piece the id of the pair that it ends."""
        codes = _codes(row)
        places = np.searchsorted(self._pairs, codes).clip(max=max(len(self._pairs) - 1, 0))
        known = self._pairs[places] == codes if len(self._pairs) else np.zeros(len(codes), bool)
        ids = np.where(known, places + UNKNOWN + 1, UNKNOWN)
        return np.concatenate([np.full(min(len(row), 1), NONE), ids]).astype(np.int32)


def _codes(row: np.ndarray) -> np.ndarray:
    """Return each pair of a row as one number."""
    codes: np.ndarray = row[:-1].astype(np.int64) * _HIGH + row[1:]
    return codes


class PiecePairEmbedding(keras.layers.Layer):
    """Embeds a piece, and adds what is learned of the pair that it makes with the one before.

    "not bad" says what neither word does; attention is slow to learn from little text what a table
    of pairs has at once. As in Joulin et al. 2017, "Bag of Tricks for Efficient Text
    Classification", section 2.2, there added up over a text, here at each position. Pairs begin at
    zero: what is never seen adds nothing.

    In: `token_ids`, `pair_ids` (batch, n). Out: (batch, n, width) of about unit variance. Time and
    memory O(n).
    """

    def __init__(self, vocabulary_size: int, num_pairs: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pieces = keras.layers.Embedding(vocabulary_size, width)
        self.pairs = keras.layers.Embedding(num_pairs, width, embeddings_initializer="zeros")
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Embed."""
        return self.norm(self.pieces(features["token_ids"]) + self.pairs(features["pair_ids"]))
