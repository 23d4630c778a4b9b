"""Words of a user's sentences, and words that are replaced, dropped or moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suite.api import ChangeWords, DataError, Examples
from tasks.ner.tagged_text import pack_sentences
from tasks.ner.word_features import WordTables, look_up, spellings

FEATURES = {
    "word_ids": "words",
    "shape_ids": "shapes",
    "affix_ids": "affixes",
    "character_ids": "characters",
}
"""The features of a word, and their tables."""


def disturb_words(
    examples: Examples, change: ChangeWords, names: Mapping[str, Sequence[str]]
) -> Examples:
    """Return examples whose words `change` replaced, dropped or moved; their tags follow them.

    A replaced word gets the features of its new text. The first remaining word of a
    sentence starts it.
    """
    real = np.asarray(examples.features["padding_mask"])
    lengths = real.sum(axis=1).tolist()
    texts = spellings(np.asarray(examples.features["character_ids"])[real], names)
    sources = np.zeros(real.shape, np.int64)
    left = np.zeros(real.shape, bool)
    replaced: dict[tuple[int, int], str] = {}
    first = 0
    for row, length in enumerate(lengths):
        words = texts[first : first + length]
        first += length
        for place, (source, text) in enumerate(change(words)):
            sources[row, place], left[row, place] = source, True
            if text != words[source]:
                replaced[row, place] = text

    def follow(values: Any) -> np.ndarray:
        taken = np.take_along_axis(
            np.asarray(values), sources.reshape(*sources.shape, *[1] * (values.ndim - 2)), axis=1
        )
        return np.where(left.reshape(*left.shape, *[1] * (values.ndim - 2)), taken, 0).astype(
            values.dtype
        )

    features = {name: follow(values) for name, values in examples.features.items()}
    targets = {name: follow(values) for name, values in examples.targets.items()}
    features["padding_mask"] = left
    starts = _starts(np.asarray(examples.features["sentence_starts"]), sources) & left
    features["sentence_starts"] = targets["sentence_starts"] = starts
    if replaced:
        tables = look_up(list(replaced.values()), names)
        rows, places = np.array(list(replaced)).T
        for name, table in FEATURES.items():
            features[name][rows, places] = getattr(tables, table)
    return Examples(features, targets)


def _starts(starts: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return the first words of sentences among words from `sources`: (examples, length).

    The number of a word's sentence is larger there than those of all words before it.
    """
    numbers = np.take_along_axis(np.cumsum(starts, axis=1), sources, axis=1)
    before = np.maximum.accumulate(numbers, axis=1)
    before = np.concatenate([np.zeros((len(numbers), 1), numbers.dtype), before[:, :-1]], axis=1)
    found: np.ndarray = numbers > before
    return found


def encode_sentences(
    sentences: Sequence[Sequence[str]], length: int, names: Mapping[str, Sequence[str]]
) -> Examples:
    """Encode each sentence of words in its own windows; `targets["text"]` is its index.

    Raises:
        DataError: a sentence has no word.
    """
    for number, sentence in enumerate(sentences):
        if not sentence:
            raise DataError("A sentence has at least one word", received=f"none in {number}")
    parts = [_encode(sentence, length, names, number) for number, sentence in enumerate(sentences)]
    features, targets = (
        {name: np.concatenate([part[kind][name] for part in parts]) for name in parts[0][kind]}
        for kind in (0, 1)
    )
    return Examples(features, targets)


def _encode(
    sentence: Sequence[str], length: int, names: Mapping[str, Sequence[str]], number: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    tables: WordTables = look_up(sentence, names)
    windows = pack_sentences(np.array([len(sentence)]), length)
    starts = np.zeros(len(sentence), bool)
    starts[0] = True
    features = {name: windows.fill(getattr(tables, table)) for name, table in FEATURES.items()}
    features |= {"sentence_starts": windows.fill(starts), "padding_mask": windows.mask()}
    targets = {
        "tags": np.zeros(features["word_ids"].shape, np.int32),
        "sentence_starts": features["sentence_starts"],
        "text": np.full(windows.num_windows, number, np.int32),
    }
    return features, targets
