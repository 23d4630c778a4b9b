"""A generated language and its translation: other words, and each phrase back to front.

A phrase is two or three words and a small word that marks its end; the translation has its words
the other way round. So a word's place must be found, not only its meaning.
"""

from __future__ import annotations

import numpy as np

NUM_WORDS, NUM_MARKS = 40, 3
PAIRS = {"train": 12_000, "validation": 200, "test": 400}
VOWELS = ("aeiou", "äöüyo")
CONSONANTS = ("bdfgklmn", "prstvzhj")


def draw_pairs() -> dict[str, list[tuple[str, str]]]:
    """Draw the splits, always the same."""
    generator = np.random.default_rng(20_261_120)
    words = [_draw_words(generator, side) for side in (0, 1)]
    return {
        split: [_draw_pair(generator, words) for _ in range(count)]
        for split, count in PAIRS.items()
    }


def _draw_words(generator: np.random.Generator, side: int) -> list[str]:
    """Draw the words of one language; the last few are its small words."""
    words: list[str] = []
    while len(words) < NUM_WORDS + NUM_MARKS:
        syllables = 1 if len(words) >= NUM_WORDS else int(generator.integers(2, 4))
        word = "".join(
            CONSONANTS[side][generator.integers(len(CONSONANTS[side]))]
            + VOWELS[side][generator.integers(len(VOWELS[side]))]
            for _ in range(syllables)
        )
        if word not in words:
            words.append(word)
    return words


def _draw_pair(generator: np.random.Generator, words: list[list[str]]) -> tuple[str, str]:
    sides: tuple[list[str], list[str]] = ([], [])
    for _ in range(generator.integers(2, 4)):
        phrase = generator.integers(NUM_WORDS, size=generator.integers(2, 4)).tolist()
        mark = NUM_WORDS + int(generator.integers(NUM_MARKS))
        sides[0].extend(words[0][word] for word in [*phrase, mark])
        sides[1].extend(words[1][word] for word in [*reversed(phrase), mark])
    return " ".join(sides[0]), " ".join(sides[1])
