"""A generated language: words that follow one another by habit, and names that come again.

Each word has a few successors. Each document has names of its own, of random letters, which come
again and again among the words: their first letters tell the rest, to whoever looks back enough.
"""

from __future__ import annotations

import numpy as np

NUM_WORDS, NUM_SUCCESSORS, NAME_LENGTH = 200, 6, 8
WORDS_A_DOCUMENT, NAMES_A_DOCUMENT, NAME_EVERY = 120, 2, 6
DOCUMENTS = {"train": 1_000, "validation": 60, "test": 60}
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def draw_texts() -> dict[str, str]:
    """Draw the splits, always the same."""
    generator = np.random.default_rng(20_261_120)
    words = _draw_words(generator)
    successors = generator.integers(NUM_WORDS, size=(NUM_WORDS, NUM_SUCCESSORS))
    return {
        split: "\n".join(_draw_document(generator, words, successors) for _ in range(count))
        for split, count in DOCUMENTS.items()
    }


def _draw_words(generator: np.random.Generator) -> list[str]:
    words: set[str] = set()
    while len(words) < NUM_WORDS:
        syllables = generator.integers(1, 4)
        words.add(
            "".join(
                CONSONANTS[generator.integers(len(CONSONANTS))]
                + VOWELS[generator.integers(len(VOWELS))]
                for _ in range(syllables)
            )
        )
    return sorted(words)


def _draw_document(generator: np.random.Generator, words: list[str], successors: np.ndarray) -> str:
    letters = generator.integers(len(CAPITALS), size=(NAMES_A_DOCUMENT, NAME_LENGTH))
    names = ["".join(CAPITALS[letter] for letter in row) for row in letters]
    # Low numbers are likelier, so habits are strong.
    habits = (generator.random(WORDS_A_DOCUMENT) ** 2 * NUM_SUCCESSORS).astype(int)
    turns = generator.integers(NAMES_A_DOCUMENT, size=WORDS_A_DOCUMENT)
    word = int(generator.integers(NUM_WORDS))
    said = []
    for place in range(WORDS_A_DOCUMENT):
        if place % NAME_EVERY == NAME_EVERY - 1:
            said.append(names[turns[place]])
        else:
            said.append(words[word])
            word = int(successors[word, habits[place]])
    return " ".join(said)
