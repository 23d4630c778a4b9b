"""Words as features (identity, shape, affixes, characters), and the layer that embeds them."""

from __future__ import annotations

import itertools
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
AFFIX_LENGTHS = (2, 3, 4)
NUM_AFFIXES = 2 * len(AFFIX_LENGTHS)
"""How many affixes a word has: its first and last so many characters, for each length."""
AFFIX_WIDTH = 32
CHARACTER_WIDTH = 32
CHARACTER_FILTERS = 96
WIDTHS = {"words": 1, "shapes": 1, "affixes": NUM_AFFIXES, "characters": MAX_CHARACTERS}
"""How many ids a word has of each feature."""
COLUMN_WIDTH = 32
DROPOUT = 0.4
"""Of what is known of a word: tagging leans on single features all too readily."""
REACH = 2
"""How many words on either side a word's neighbourhood has."""


@dataclass(frozen=True, slots=True)
class WordTables:
    """For each distinct word of a corpus: the ids of its features.

    `words`, `shapes` (words,), `affixes` (words, 6), `characters` (words, 16). Ids come from the
    training split alone: what is seen there once is unknown, so that the unknown is learned too.
    `sizes` says how many ids each table has.
    """

    words: np.ndarray
    shapes: np.ndarray
    affixes: np.ndarray
    characters: np.ndarray
    sizes: Mapping[str, int]


def build_word_tables(words: Sequence[str], train_words: np.ndarray) -> WordTables:
    """Give a corpus's words ids, from its training split (indices into `words`) alone."""
    occurrences = np.bincount(train_words, minlength=len(words)).tolist()
    features = {
        "words": [[_normalize(word)] for word in words],
        "shapes": [[_shape(word)] for word in words],
        "affixes": [_affixes(_normalize(word)) for word in words],
        "characters": [list(_shorten(word)) for word in words],
    }
    rows: dict[str, np.ndarray] = {}
    sizes = {}
    for name, values in features.items():
        counts: Counter[str] = Counter()
        for parts, times in zip(values, occurrences, strict=True):
            for part in parts:
                counts[part] += times
        ids = _number(counts)
        rows[name] = np.zeros((len(words), WIDTHS[name]), np.int32)
        for row, parts in enumerate(values):
            rows[name][row, : len(parts)] = [ids.get(part, UNKNOWN) for part in parts]
        sizes[name] = len(ids) + UNKNOWN + 1
    return WordTables(
        rows["words"][:, 0], rows["shapes"][:, 0], rows["affixes"], rows["characters"], sizes
    )


def number_columns(
    columns: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], int]:
    """Give what a source says of each word beside its tag ids, from the training split alone.

    `columns` (words, columns) of each split is text. Returns the ids, of the same shapes, and how
    many there are. The same text in two columns has two ids.
    """
    counts = Counter(itertools.chain.from_iterable(map(enumerate, columns["train"].tolist())))
    ids = _number(counts)
    numbered = {
        split: np.array(
            [[ids.get(part, UNKNOWN) for part in enumerate(row)] for row in rows.tolist()],
            np.int32,
        )
        for split, rows in columns.items()
    }
    return numbered, len(ids) + UNKNOWN + 1


def _number(counts: Counter[Any]) -> dict[Any, int]:
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


def _affixes(word: str) -> list[str]:
    beginnings = [f"{word[:length]}-" for length in AFFIX_LENGTHS]
    return beginnings + [f"-{word[-length:]}" for length in AFFIX_LENGTHS]


def _shape(word: str) -> str:
    """Return how a word is written: "Xx" for Paris, "X.X" for U.S, "d-d" for 4-6."""
    kinds = [
        "d" if one.isdigit() else "X" if one.isupper() else "x" if one.isalpha() else one
        for one in word
    ]
    return "".join(kind for kind, _ in itertools.groupby(kinds))


class WordEmbedding(keras.layers.Layer):
    """Embeds a word by its identity, its shape, its affixes and its characters.

    The characters pass through a convolution of width 3 and its maximum over the word, as in Ma
    and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF", section 2.1.
    The sum is normalised, and a convolution adds what the two words on either side tell: whether a
    name goes on is a matter of neighbours, which attention alone is slow to learn.

    In: `word_ids`, `shape_ids`, `padding_mask` (batch, n), `affix_ids` (batch, n, 6),
    `character_ids` (batch, n, 16), `sentence_starts` (batch, n), and `column_ids` (batch, n,
    columns) where `sizes` has them. Out: (batch, n, width) of
    about unit variance. Time and memory O(n).
    """

    def __init__(self, sizes: Mapping[str, int], width: int, **kwargs: Any) -> None:
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
        self.neighbours = keras.layers.Conv1D(
            width, 2 * REACH + 1, padding="same", activation="relu"
        )
        self.dropout = keras.layers.Dropout(DROPOUT)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.output_norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def call(self, features: Mapping[str, Any], training: bool | None = None) -> Any:
        """Embed."""
        batch, length = features["word_ids"].shape
        affixes = self.affixes(features["affix_ids"])
        spelling = [
            ops.reshape(affixes, (batch, length, NUM_AFFIXES * AFFIX_WIDTH)),
            self._spell(features["character_ids"]),
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
        real = ops.cast(features["padding_mask"], embeddings.dtype)[:, :, None]
        return self.output_norm(embeddings + self.neighbours(embeddings * real))

    def _spell(self, character_ids: Any) -> Any:
        """Convolve and take the maximum: (batch, n, 16) to (batch, n, filters)."""
        length = character_ids.shape[1]
        rows = ops.reshape(character_ids, (-1, MAX_CHARACTERS))
        found = ops.max(ops.relu(self.convolution(self.characters(rows))), axis=1)
        return ops.reshape(found, (-1, length, CHARACTER_FILTERS))
