"""Features of words as ids: identity, shape, affixes, characters, and a source's columns."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

UNKNOWN = 1
"""The id of features that are rare or absent in training; 0 is padding."""
MIN_COUNT = 2
"""Rarer features are unknown, so that training includes the unknown feature."""
MAX_CHARACTERS = 16
AFFIX_LENGTHS = (2, 3, 4)
NUM_AFFIXES = 2 * len(AFFIX_LENGTHS)
"""A word has a prefix and a suffix of each length."""
IDS_PER_WORD = {"words": 1, "shapes": 1, "affixes": NUM_AFFIXES, "characters": MAX_CHARACTERS}
"""The number of ids that a word has for each feature."""


@dataclass(frozen=True, slots=True)
class WordTables:
    """The feature ids of each distinct word of a corpus.

    `words` and `shapes` have shape (words,), `affixes` (words, 6), `characters` (words, 16). Only
    features with at least `MIN_COUNT` occurrences in the training split have an id of their own:
    `names` has them in the order of their ids. `sizes` is the number of ids of each feature.
    """

    words: np.ndarray
    shapes: np.ndarray
    affixes: np.ndarray
    characters: np.ndarray
    names: Mapping[str, Sequence[str]]

    @property
    def sizes(self) -> dict[str, int]:
        """The number of ids of each feature, with padding and the unknown one."""
        return {name: len(names) + UNKNOWN + 1 for name, names in self.names.items()}


def build_word_tables(words: Sequence[str], train_words: np.ndarray) -> WordTables:
    """Number the features of a corpus's words by their frequency in the training split.

    `train_words` holds the words of the training split as indices into `words`.
    """
    occurrences = np.bincount(train_words, minlength=len(words)).tolist()
    names = {}
    for name, values in _features(words).items():
        counts: Counter[str] = Counter()
        for parts, num_occurrences in zip(values, occurrences, strict=True):
            for part in parts:
                counts[part] += num_occurrences
        names[name] = list(_assign_ids(counts))
    return look_up(words, names)


def look_up(words: Sequence[str], names: Mapping[str, Sequence[str]]) -> WordTables:
    """Return the feature ids of words, given the features that have an id."""
    rows: dict[str, np.ndarray] = {}
    for name, values in _features(words).items():
        ids = {known: number + UNKNOWN + 1 for number, known in enumerate(names[name])}
        rows[name] = np.zeros((len(words), IDS_PER_WORD[name]), np.int32)
        for row, parts in enumerate(values):
            rows[name][row, : len(parts)] = [ids.get(part, UNKNOWN) for part in parts]
    return WordTables(
        rows["words"][:, 0], rows["shapes"][:, 0], rows["affixes"], rows["characters"], names
    )


def spellings(character_ids: np.ndarray, names: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the texts of words from their character ids, (words, 16).

    A character without an id becomes U+FFFD. A longer word lacks its middle (`_shorten`).
    """
    alphabet = ["", "\ufffd", *names["characters"]]
    distinct, places = np.unique(character_ids, axis=0, return_inverse=True)
    texts = ["".join(alphabet[one] for one in row) for row in distinct.tolist()]
    return [texts[place] for place in places.ravel().tolist()]


def _features(words: Sequence[str]) -> dict[str, list[list[str]]]:
    return {
        "words": [[_normalize(word)] for word in words],
        "shapes": [[_shape(word)] for word in words],
        "affixes": [_affixes(_normalize(word)) for word in words],
        "characters": [list(_shorten(word)) for word in words],
    }


def assign_column_ids(
    columns: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], int]:
    """Number a source's columns by their frequency in the training split.

    `columns` holds text of shape (words, columns) for each split. Returns ids of the same shapes
    and the number of ids. The same text in two columns has two ids.
    """
    counts = Counter(itertools.chain.from_iterable(map(enumerate, columns["train"].tolist())))
    ids = _assign_ids(counts)
    numbered = {
        split: np.array(
            [[ids.get(part, UNKNOWN) for part in enumerate(row)] for row in rows.tolist()],
            np.int32,
        )
        for split, rows in columns.items()
    }
    return numbered, len(ids) + UNKNOWN + 1


def _assign_ids(counts: Counter[Any]) -> dict[Any, int]:
    """Assign ids to frequent features, in order of decreasing count, then alphabetically."""
    kept = [item for item in counts.items() if item[1] >= MIN_COUNT]
    kept.sort(key=lambda item: (-item[1], item[0]))
    return {name: index + UNKNOWN + 1 for index, (name, _) in enumerate(kept)}


def _normalize(word: str) -> str:
    return "".join("0" if character.isdigit() else character for character in word.lower())


def _shorten(word: str) -> str:
    """Return the beginning and the end of a long word, its most informative parts."""
    half = MAX_CHARACTERS // 2
    return word if len(word) <= MAX_CHARACTERS else word[:half] + word[-half:]


def _affixes(word: str) -> list[str]:
    beginnings = [f"{word[:length]}-" for length in AFFIX_LENGTHS]
    return beginnings + [f"-{word[-length:]}" for length in AFFIX_LENGTHS]


def _shape(word: str) -> str:
    """Return the pattern of a word's characters: "Xx" for Paris, "X.X" for U.S, "d-d" for 4-6."""
    kinds = [
        "d" if one.isdigit() else "X" if one.isupper() else "x" if one.isalpha() else one
        for one in word
    ]
    return "".join(kind for kind, _ in itertools.groupby(kinds))
