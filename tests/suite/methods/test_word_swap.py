"""Dropped and swapped words: their shares, and that no word appears twice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from suite.methods.word_swap import METHOD


def test_half_of_the_chosen_words_are_dropped_and_half_swapped_with_the_next():
    words = [str(number) for number in range(4_000)]
    found = METHOD.draw(words, 0.1, np.random.default_rng(0))
    order = [place for place, _ in found]
    assert all(text == words[place] for place, text in found)
    assert len(set(order)) == len(order)
    dropped = len(words) - len(order)
    swapped = sum(second < first for first, second in itertools.pairwise(order))
    for count in (dropped, swapped):
        assert abs(count - 200) < 4 * (4_000 * 0.05 * 0.95) ** 0.5


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_example_keeps_a_word(count):
    words = ["a", "b"][:count]
    for seed in range(20):
        found = METHOD.draw(words, 1.0, np.random.default_rng(seed))
        assert bool(found) == bool(words)
