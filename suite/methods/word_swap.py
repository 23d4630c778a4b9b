"""Dropped and swapped words: the scores on text whose words are missing or out of order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from suite.api import Examples, Method, MethodContext, MethodRequest, Options, Stage


class WordSwap(Method):
    """Scores on text in which a share of the words is dropped or swapped.

    Each word is chosen with a probability. Half of the chosen words are left out, and half change
    places with the next word (Wei and Zou 2019, section 2, whose swaps are of any two words). An
    example keeps one word at least. The targets of a word follow it, and those of a dropped word
    are not scored.
    """

    version = 1
    title = "Dropped and swapped words"
    summary = "score text in which a share of the words is dropped or swapped"
    paper = (
        "Wei and Zou 2019, EDA: Easy Data Augmentation Techniques for Boosting Performance "
        "on Text Classification Tasks"
    )
    stage = Stage.EVALUATE
    options = {"strengths": [0.0, 0.05, 0.1, 0.2]}
    """The shares of the words that are chosen."""

    def check(self, options: Options) -> None:
        """Check the strengths."""
        from suite.methods._words import check_strengths

        check_strengths("word_swap", options)

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why the words of the task cannot be moved, or None."""
        from suite.methods._words import words_reason

        return words_reason(request)

    def conditions(
        self, model: Any, examples: Examples, context: MethodContext
    ) -> Iterator[tuple[str, Examples]]:
        """Yield the examples at each strength."""
        from suite.methods._words import disturbed_copies

        yield from disturbed_copies("word_swap", examples, context, draw_swaps)


def draw_swaps(words: Sequence[str], strength: float, generator: Any) -> list[tuple[int, str]]:
    """Return the words without those that are dropped, with others in the place of the next."""
    chosen = generator.random(len(words)) < strength
    dropped = generator.random(len(words)) < 0.5
    order: list[int] = []
    place = 0
    while place < len(words):
        if chosen[place] and dropped[place]:
            place += 1
        elif chosen[place] and place + 1 < len(words):
            order += [place + 1, place]
            place += 2
        else:
            order.append(place)
            place += 1
    return [(place, words[place]) for place in order or range(min(1, len(words)))]


METHOD = WordSwap()
