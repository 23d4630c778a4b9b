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
    features with at least `MIN_COUNT` occurrences in the training split have an id of their own.
    `sizes` is the number of ids of each feature.
    """

    words: np.ndarray
    shapes: np.ndarray
    affixes: np.ndarray
    characters: np.ndarray
    sizes: Mapping[str, int]


def build_word_tables(words: Sequence[str], train_words: np.ndarray) -> WordTables:
    """Number the features of a corpus's words by their frequency in the training split.

    `train_words` holds the words of the training split as indices into `words`.
    """
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
        for parts, num_occurrences in zip(values, occurrences, strict=True):
            for part in parts:
                counts[part] += num_occurrences
        ids = _assign_ids(counts)
        rows[name] = np.zeros((len(words), IDS_PER_WORD[name]), np.int32)
        for row, parts in enumerate(values):
            rows[name][row, : len(parts)] = [ids.get(part, UNKNOWN) for part in parts]
        sizes[name] = len(ids) + UNKNOWN + 1
    return WordTables(
        rows["words"][:, 0], rows["shapes"][:, 0], rows["affixes"], rows["characters"], sizes
    )


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
