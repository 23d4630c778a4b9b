"""A generated language with frequent word successors and recurring names.

Each word has a few successors. Each document has its own names of random letters, which recur among
the words. The first letters of a name identify the rest of it for a model that sees an earlier
occurrence.
"""

from __future__ import annotations

import numpy as np

NUM_WORDS, NUM_SUCCESSORS, NAME_LENGTH = 200, 6, 8
WORDS_PER_DOCUMENT, NAMES_PER_DOCUMENT, NAME_INTERVAL = 120, 2, 6
DOCUMENTS = {"train": 1_000, "validation": 60, "test": 60}
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def draw_texts() -> dict[str, str]:
    """Generate the text of each split; every call returns the same texts."""
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
        num_syllables = generator.integers(1, 4)
        words.add(
            "".join(
                CONSONANTS[generator.integers(len(CONSONANTS))]
                + VOWELS[generator.integers(len(VOWELS))]
                for _ in range(num_syllables)
            )
        )
    return sorted(words)


def _draw_document(generator: np.random.Generator, words: list[str], successors: np.ndarray) -> str:
    letters = generator.integers(len(CAPITALS), size=(NAMES_PER_DOCUMENT, NAME_LENGTH))
    names = ["".join(CAPITALS[letter] for letter in row) for row in letters]
    # Squaring makes low numbers, the first successors, more likely.
    choices = (generator.random(WORDS_PER_DOCUMENT) ** 2 * NUM_SUCCESSORS).astype(int)
    name_choices = generator.integers(NAMES_PER_DOCUMENT, size=WORDS_PER_DOCUMENT)
    word = int(generator.integers(NUM_WORDS))
    document = []
    for position in range(WORDS_PER_DOCUMENT):
        if position % NAME_INTERVAL == NAME_INTERVAL - 1:
            document.append(names[name_choices[position]])
        else:
            document.append(words[word])
            word = int(successors[word, choices[position]])
    return " ".join(document)
