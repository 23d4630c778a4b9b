"""Generated text: invented words by Zipf's law, with sentences scattered among them.

A text is a list of words. A full stop is a word of its own, and each word is one token of a
learned vocabulary.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

FULL_STOP = "."
FULL_STOP_SHARE = 0.1
"""The share of full stops among the fillers."""


def invent_words(count: int, seed: int) -> list[str]:
    """Return different words of two syllables; the same seed gives the same words."""
    syllables = ["".join(pair) for pair in itertools.product("bdfgklmnprstvz", "aeiou")]
    words = ["".join(pair) for pair in itertools.product(syllables, syllables)]
    return [words[index] for index in np.random.default_rng(seed).permutation(len(words))[:count]]


def draw_fillers(
    generator: np.random.Generator, fillers: Sequence[str], num_words: int
) -> list[str]:
    """Draw words with the frequencies of Zipf's law, and full stops between them."""
    weights = (1 / np.arange(1, len(fillers) + 1)).cumsum()
    drawn = np.searchsorted(weights / weights[-1], generator.random(num_words), side="right")
    words = [fillers[word] for word in drawn.tolist()]
    for place in np.flatnonzero(generator.random(num_words - 1) < FULL_STOP_SHARE).tolist():
        words[1 + place] = FULL_STOP  # a text begins with a word
    return words


def scatter_sentences(
    generator: np.random.Generator,
    words: list[str],
    sentences: Sequence[Sequence[str]],
    low: int = 0,
    high: int | None = None,
) -> list[int]:
    """Replace words between two places by sentences in random order; return where each begins.

    Sentences that have no room are left out: the result is shorter than `sentences` then.
    """
    size = max(map(len, sentences))
    low += int(generator.integers(size))
    num_slots = ((len(words) if high is None else high) - low) // size
    slots = generator.permutation(max(num_slots, 0))[: len(sentences)]
    places = [low + slot * size for slot in slots.tolist()]
    for place, sentence in zip(places, sentences, strict=False):
        words[place : place + len(sentence)] = sentence
    return places


def join_words(words: Sequence[str]) -> str:
    """Return the text of words, with a space before each word except full stops."""
    return " ".join(words).replace(f" {FULL_STOP}", FULL_STOP)
