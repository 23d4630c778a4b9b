"""Typing errors: the scores on text in which some words have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suite.methods._disturbances import WordDisturbance

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""The letters of a QWERTY keyboard. A row stands half a key to the right of the row above."""


class Typos(WordDisturbance):
    """Scores on text in which a share of the words has one typing error.

    An error replaces a letter by a neighbour on the keyboard, swaps two adjacent characters, or
    deletes a character, each with the same probability (Belinkov and Bisk 2018, section 3.1). Words
    of one character stay as they are; a neighbour needs a letter of the Latin alphabet.
    """

    title = "Typing errors"
    summary = "score text in which a share of the words has a typing error"
    paper = (
        "Belinkov and Bisk 2018, Synthetic and Natural Noise Both Break Neural Machine Translation"
    )
    name = "typos"

    def draw(self, words: Sequence[str], strength: float, generator: Any) -> list[tuple[int, str]]:
        """Return the words; each of two or more characters has an error with a probability."""
        is_hit = generator.random(len(words)) < strength
        return [
            (index, misspell(word, generator) if is_hit[index] and len(word) > 1 else word)
            for index, word in enumerate(words)
        ]


def misspell(word: str, generator: Any) -> str:
    """Return a word with one typing error; the word has two or more characters."""
    kind = generator.integers(3)
    letters = [i for i, character in enumerate(word) if character.lower() in NEIGHBOURS]
    if kind == 0 and letters:
        i = letters[generator.integers(len(letters))]
        near = NEIGHBOURS[word[i].lower()]
        typed = near[generator.integers(len(near))]
        typed = typed.upper() if word[i].isupper() else typed
        return word[:i] + typed + word[i + 1 :]
    unequal = [i for i in range(len(word) - 1) if word[i] != word[i + 1]]
    if kind == 1 and unequal:
        i = unequal[generator.integers(len(unequal))]
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    i = generator.integers(len(word))
    return word[:i] + word[i + 1 :]


def _neighbours() -> dict[str, str]:
    """Return the neighbours of each letter: those within a distance of one and a quarter keys."""
    places = {
        letter: (column + row / 2, row)
        for row, letters in enumerate(ROWS)
        for column, letter in enumerate(letters)
    }
    return {
        letter: "".join(
            other
            for other, (right, down) in places.items()
            if other != letter and (right - x) ** 2 + (down - y) ** 2 <= 1.25**2
        )
        for letter, (x, y) in places.items()
    }


NEIGHBOURS = _neighbours()
METHOD = Typos()
