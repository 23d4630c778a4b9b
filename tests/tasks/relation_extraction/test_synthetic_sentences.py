"""Generated sentences: relation and direction need the order of words."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tasks.relation_extraction.labels import classes_of
from tasks.relation_extraction.marked_text import problem_of, split_at_markers
from tasks.relation_extraction.synthetic_sentences import (
    MAX_CLAUSES,
    draw_sentences,
    label_of,
)


@pytest.fixture(scope="module")
def sentences():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "tasks.relation_extraction.synthetic_sentences.EXAMPLES", {"train": 500, "test": 50}
        )
        return draw_sentences()


def test_the_same_words_in_another_order_are_another_label():
    labels = {label_of(cue, from_first) for cue in range(5) for from_first in (True, False)}
    assert len(labels) == 9, "Other has no direction"


def test_the_label_is_that_of_the_marked_clause(sentences):
    for text, label in sentences["train"]:
        assert problem_of(text) is None
        between = split_at_markers(text)[4]
        first, second = (int(number) for number in re.findall(r"cue(\d)", between))
        from_first = between.index("from") < between.index("to ")
        assert first != second and label == label_of(first, from_first)


def test_every_class_occurs_and_other_clauses_disturb(sentences):
    counts = Counter(label for _, label in sentences["train"])
    assert sorted(counts) == classes_of(counts) and len(counts) == 9
    assert max(counts.values()) / 500 < 0.3
    clauses = Counter(text.count("from") for text, _ in sentences["train"])
    assert set(clauses) == set(range(1, MAX_CLAUSES + 1))
