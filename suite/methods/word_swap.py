"""Dropped and swapped words: the scores on text whose words are missing or out of order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suite.methods._disturbances import WordDisturbance


class WordSwap(WordDisturbance):
    """Scores on text in which a share of the words is dropped or swapped.

    Each word is chosen with a probability. Half of the chosen words are left out, and half change
    places with the next word (Wei and Zou 2019, section 2, whose swaps are of any two words). An
    example keeps one word at least. The targets of a word follow it, and those of a dropped word
    are not scored.
    """

    title = "Dropped and swapped words"
    summary = "score text in which a share of the words is dropped or swapped"
    paper = (
        "Wei and Zou 2019, EDA: Easy Data Augmentation Techniques for Boosting Performance "
        "on Text Classification Tasks"
    )
    name = "word_swap"

    def draw(self, words: Sequence[str], strength: float, generator: Any) -> list[tuple[int, str]]:
        """Return the words without the dropped ones, others in the position of the next word."""
        is_chosen = generator.random(len(words)) < strength
        is_dropped = generator.random(len(words)) < 0.5
        order: list[int] = []
        index = 0
        while index < len(words):
            if is_chosen[index] and is_dropped[index]:
                index += 1
            elif is_chosen[index] and index + 1 < len(words):
                order += [index + 1, index]
                index += 2
            else:
                order.append(index)
                index += 1
        return [(index, words[index]) for index in order or range(min(1, len(words)))]


METHOD = WordSwap()
