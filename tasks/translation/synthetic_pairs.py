"""A generated language and its translation, with other words and each phrase reversed.

A phrase has two or three content words and a function word that marks its end. The translation
reverses the content words of each phrase, so a model must learn positions as well as meanings.
"""

from __future__ import annotations

import numpy as np

NUM_CONTENT_WORDS, NUM_FUNCTION_WORDS = 40, 3
PAIRS = {"train": 12_000, "validation": 200, "test": 400}
VOWELS = ("aeiou", "äöüyo")
CONSONANTS = ("bdfgklmn", "prstvzhj")


def draw_pairs() -> dict[str, list[tuple[str, str]]]:
    """Generate the pairs of each split; every call returns the same pairs."""
    generator = np.random.default_rng(20_261_120)
    words = [_draw_words(generator, side) for side in (0, 1)]
    return {
        split: [_draw_pair(generator, words) for _ in range(count)]
        for split, count in PAIRS.items()
    }


def _draw_words(generator: np.random.Generator, side: int) -> list[str]:
    """Draw the words of one language; function words come last."""
    words: list[str] = []
    while len(words) < NUM_CONTENT_WORDS + NUM_FUNCTION_WORDS:
        num_syllables = 1 if len(words) >= NUM_CONTENT_WORDS else int(generator.integers(2, 4))
        word = "".join(
            CONSONANTS[side][generator.integers(len(CONSONANTS[side]))]
            + VOWELS[side][generator.integers(len(VOWELS[side]))]
            for _ in range(num_syllables)
        )
        if word not in words:
            words.append(word)
    return words


def _draw_pair(generator: np.random.Generator, words: list[list[str]]) -> tuple[str, str]:
    source: list[str] = []
    target: list[str] = []
    for _ in range(generator.integers(2, 4)):
        content = generator.integers(NUM_CONTENT_WORDS, size=generator.integers(2, 4)).tolist()
        function = NUM_CONTENT_WORDS + int(generator.integers(NUM_FUNCTION_WORDS))
        source.extend(words[0][word] for word in [*content, function])
        target.extend(words[1][word] for word in [*reversed(content), function])
    return " ".join(source), " ".join(target)
