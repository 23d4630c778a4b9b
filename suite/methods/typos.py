"""Typing errors: the scores on text in which some words have one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from suite.api import Examples, Method, MethodContext, MethodRequest, Options, Stage

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""The letters of a QWERTY keyboard. A row stands half a key to the right of the row above."""


class Typos(Method):
    """Scores on text in which a share of the words has one typing error.

    An error replaces a letter by a neighbour on the keyboard, swaps two adjacent characters, or
    deletes a character, each with the same probability (Belinkov and Bisk 2018, section 3.1). Words
    of one character stay as they are; a neighbour needs a letter of the Latin alphabet.
    """

    version = 1
    title = "Typing errors"
    summary = "score text in which a share of the words has a typing error"
    paper = (
        "Belinkov and Bisk 2018, Synthetic and Natural Noise Both Break Neural Machine Translation"
    )
    stage = Stage.EVALUATE
    options = {"strengths": [0.0, 0.05, 0.1, 0.2]}
    """The shares of the words of two or more characters that get an error."""

    def check(self, options: Options) -> None:
        """Check the strengths."""
        from suite.methods._words import check_strengths

        check_strengths("typos", options)

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why the words of the task cannot be changed, or None."""
        from suite.methods._words import words_reason

        return words_reason(request)

    def conditions(
        self, model: Any, examples: Examples, context: MethodContext
    ) -> Iterator[tuple[str, Examples]]:
        """Yield the examples at each strength."""
        from suite.methods._words import disturbed_copies

        yield from disturbed_copies("typos", examples, context, draw_typos)


def draw_typos(words: Sequence[str], strength: float, generator: Any) -> list[tuple[int, str]]:
    """Return the words; each of two or more characters has an error with a probability."""
    hit = generator.random(len(words)) < strength
    return [
        (place, misspell(word, generator) if hit[place] and len(word) > 1 else word)
        for place, word in enumerate(words)
    ]


def misspell(word: str, generator: Any) -> str:
    """Return a word with one typing error; the word has two or more characters."""
    kind = generator.integers(3)
    letters = [place for place, one in enumerate(word) if one.lower() in NEIGHBOURS]
    if kind == 0 and letters:
        place = letters[generator.integers(len(letters))]
        near = NEIGHBOURS[word[place].lower()]
        typed = near[generator.integers(len(near))]
        typed = typed.upper() if word[place].isupper() else typed
        return word[:place] + typed + word[place + 1 :]
    if kind == 1:
        unequal = [place for place in range(len(word) - 1) if word[place] != word[place + 1]]
        if unequal:
            place = unequal[generator.integers(len(unequal))]
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    place = generator.integers(len(word))
    return word[:place] + word[place + 1 :]


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
