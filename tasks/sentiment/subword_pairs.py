"""Frequent pairs of adjacent subwords, and the layer that embeds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

NO_PAIR, UNKNOWN_PAIR = range(2)
"""The pair ids of a text's first subword, which ends no pair, and of a rare pair."""
FIRST_KNOWN_PAIR = 2
MIN_PAIR_COUNT = 2
_HIGH = np.int64(1 << 32)


class SubwordPairs:
    """The most frequent pairs of adjacent subwords in a training split.

    There are at most `size` pairs, each with at least `MIN_PAIR_COUNT` occurrences.
    """

    def __init__(self, rows: Sequence[np.ndarray], size: int) -> None:
        codes, counts = np.unique(
            np.concatenate([_pair_codes(row) for row in rows]), return_counts=True
        )
        frequent = np.argsort(-counts, kind="stable")[:size]
        self._codes = np.sort(codes[frequent[counts[frequent] >= MIN_PAIR_COUNT]])

    @classmethod
    def of_codes(cls, codes: Sequence[int]) -> SubwordPairs:
        """Return the pairs whose `codes` a task's spec holds."""
        pairs = cls.__new__(cls)
        pairs._codes = np.array(codes, np.int64)
        return pairs

    @property
    def codes(self) -> list[int]:
        """One integer for each pair, in increasing order."""
        return [int(code) for code in self._codes]

    @property
    def num_ids(self) -> int:
        """The number of pair ids, including `NO_PAIR` and `UNKNOWN_PAIR`."""
        return len(self._codes) + FIRST_KNOWN_PAIR

    def encode(self, row: np.ndarray) -> np.ndarray:
        """Return for each subword the id of the pair that it ends."""
        codes = _pair_codes(row)
        indices = np.searchsorted(self._codes, codes).clip(max=max(len(self._codes) - 1, 0))
        known = self._codes[indices] == codes if len(self._codes) else np.zeros(len(codes), bool)
        ids = np.where(known, indices + FIRST_KNOWN_PAIR, UNKNOWN_PAIR)
        return np.concatenate([np.full(min(len(row), 1), NO_PAIR), ids]).astype(np.int32)


def _pair_codes(row: np.ndarray) -> np.ndarray:
    """Return one integer for each pair of adjacent subwords."""
    codes: np.ndarray = row[:-1].astype(np.int64) * _HIGH + row[1:]
    return codes


class SubwordPairEmbedding(keras.layers.Layer):
    """Embeds each subword and adds an embedding of the pair that it ends.

    The meaning of "not bad" is in neither word, and attention learns such pairs slowly from little
    text. The pairs are those of Joulin et al. 2017, "Bag of Tricks for Efficient Text
    Classification", section 2.2, added at each position instead of over the text. Pair embeddings
    start at zero, so a pair that training never sees adds nothing.

    Input: `token_ids`, `pair_ids` (batch, n). Output: (batch, n, width) of about unit variance.
    Time and memory O(n).
    """

    def __init__(self, vocabulary_size: int, num_pairs: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.subwords = keras.layers.Embedding(vocabulary_size, width)
        self.pairs = keras.layers.Embedding(num_pairs, width, embeddings_initializer="zeros")
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Return the embeddings."""
        return self.norm(self.subwords(features["token_ids"]) + self.pairs(features["pair_ids"]))
