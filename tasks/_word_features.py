"""Words as features (identity, shape, characters), and the layer that embeds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

UNKNOWN = 1
"""The id of what training has not seen (often enough); 0 is padding."""
MIN_WORD_COUNT = 2
MAX_CHARACTERS = 16
NUM_SHAPES = 8
CHARACTER_WIDTH = 32
CHARACTER_FILTERS = 96


@dataclass(frozen=True, slots=True)
class WordTables:
    """For each distinct word of a corpus: its id, its shape, its characters (words, 16).

    Ids come from the training split alone: words seen once there are unknown, so that the unknown
    is learned too.
    """

    ids: np.ndarray
    shapes: np.ndarray
    characters: np.ndarray
    num_ids: int
    num_characters: int


def build_word_tables(words: Sequence[str], train_words: np.ndarray) -> WordTables:
    """Give a corpus's words ids, from its training split (indices into `words`) alone."""
    occurrences = np.bincount(train_words, minlength=len(words))
    normalized = [_normalize(word) for word in words]
    word_counts: Counter[str] = Counter()
    character_counts: Counter[str] = Counter()
    for word, key, times in zip(words, normalized, occurrences.tolist(), strict=True):
        word_counts[key] += times
        for character in word:
            character_counts[character] += times
    word_ids = _number(word_counts)
    character_ids = _number(character_counts)
    characters = np.zeros((len(words), MAX_CHARACTERS), np.int16)
    for row, word in enumerate(words):
        ids = [character_ids.get(character, UNKNOWN) for character in _shorten(word)]
        characters[row, : len(ids)] = ids
    return WordTables(
        ids=np.array([word_ids.get(key, UNKNOWN) for key in normalized], np.int32),
        shapes=np.array([_shape(word) for word in words], np.int8),
        characters=characters,
        num_ids=len(word_ids) + UNKNOWN + 1,
        num_characters=len(character_ids) + UNKNOWN + 1,
    )


def _number(counts: Counter[str]) -> dict[str, int]:
    """Give an id to what occurs often enough, the frequent first; ties by the alphabet."""
    kept = [item for item in counts.items() if item[1] >= MIN_WORD_COUNT]
    kept.sort(key=lambda item: (-item[1], item[0]))
    return {name: index + UNKNOWN + 1 for index, (name, _) in enumerate(kept)}


def _normalize(word: str) -> str:
    return "".join("0" if character.isdigit() else character for character in word.lower())


def _shorten(word: str) -> str:
    """Keep the beginning and the end of a long word, which tell most."""
    half = MAX_CHARACTERS // 2
    return word if len(word) <= MAX_CHARACTERS else word[:half] + word[-half:]


def _shape(word: str) -> int:
    """Return a number from 1 to 7 for how a word is written."""
    if not any(character.isalnum() for character in word):
        return 1
    if any(character.isdigit() for character in word):
        return 2 if not any(character.isalpha() for character in word) else 3
    if word.islower():
        return 4
    if word.isupper():
        return 5
    return 6 if word[0].isupper() else 7


class WordEmbedding(keras.layers.Layer):
    """Embeds a word by its identity, its shape and its characters.

    The characters pass through a convolution of width 3 and its maximum over the word, as in Ma
    and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF", section 2.1.
    The sum of the three is normalised, and a convolution adds what the words on either side tell:
    whether a name goes on is a matter of neighbours, which attention alone is slow to learn.

    In: `word_ids`, `shape_ids`, `padding_mask` (batch, n), `character_ids` (batch, n, 16). Out:
    (batch, n, width) of about unit variance. Time and memory O(n).
    """

    def __init__(self, num_words: int, num_characters: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = keras.layers.Embedding(num_words, width)
        self.shapes = keras.layers.Embedding(2 * NUM_SHAPES, width)
        self.characters = keras.layers.Embedding(num_characters, CHARACTER_WIDTH)
        self.convolution = keras.layers.Dense(CHARACTER_FILTERS)
        self.spelling = keras.layers.Dense(width)
        self.neighbours = keras.layers.Dense(width, "relu")
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.output_norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Embed."""
        embeddings = (
            self.words(features["word_ids"])
            + self.shapes(features["shape_ids"])
            + self.spelling(self._spell(features["character_ids"]))
        )
        embeddings = self.norm(embeddings)
        real = ops.cast(features["padding_mask"], embeddings.dtype)[:, :, None]
        return self.output_norm(embeddings + self.neighbours(_with_neighbours(embeddings * real)))

    def _spell(self, character_ids: Any) -> Any:
        """Convolve and take the maximum: (batch, n, 16) to (batch, n, filters)."""
        length = character_ids.shape[1]
        rows = ops.reshape(character_ids, (-1, MAX_CHARACTERS))
        embedded = self.characters(rows)
        found = ops.max(ops.relu(self.convolution(_with_neighbours(embedded))), axis=1)
        return ops.reshape(found, (-1, length, CHARACTER_FILTERS))


def _with_neighbours(sequence: Any) -> Any:
    """Put beside each position the one before and the one after: (…, n, w) to (…, n, 3 w)."""
    padded = ops.pad(sequence, ((0, 0), (1, 1), (0, 0)))
    return ops.concatenate([padded[:, :-2], sequence, padded[:, 2:]], axis=-1)
