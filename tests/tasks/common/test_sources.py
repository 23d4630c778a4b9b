"""Tests of what all sources share: held-out examples and lone surrogates."""

from __future__ import annotations

import numpy as np
import pytest

from suite.api import DataError
from tasks.common.sources import hold_out, replace_surrogates, with_validation
from tasks.question_answering.squad import Question


@pytest.mark.parametrize(
    "classes",
    [
        ["a"] * 30 + ["b"] * 10 + ["c"] * 2 + ["d"],
        ["a", "a", *"bcdefghij"],
        [*"aabbccddee"],
        [0, 1] * 50,
        ["a"] * 999 + ["b"],
    ],
)
def test_a_tenth_is_drawn_by_class_and_train_keeps_all_classes(classes):
    train, held_out = hold_out(len(classes), classes)
    assert sorted([*train, *held_out]) == list(range(len(classes)))
    assert {classes[index] for index in train} == set(classes)
    assert 1 <= len(held_out) <= max(1, round(len(classes) / 10))
    for name in set(classes):
        share = sum(classes[index] == name for index in held_out)
        assert abs(share - classes.count(name) / 10) < 1.1
    again = hold_out(len(classes), classes)
    assert all((one == other).all() for one, other in zip((train, held_out), again, strict=True))


def test_a_tenth_needs_ten_examples_and_two_of_a_class():
    with pytest.raises(DataError, match=r"at least 10 examples.*Received: 9.*validation split"):
        hold_out(9)
    with pytest.raises(DataError, match="two examples"):
        hold_out(12, list("abcdefghijkl"))
    splits = {"train": [("x", "a")] * 9, "test": [("y", "a")]}
    with pytest.raises(DataError, match="at least 10"):
        with_validation(splits, by_class=True)
    assert with_validation({**splits, "validation": []}) == ({**splits, "validation": []}, {})


def test_a_tenth_without_classes_stays_as_it_was():
    """Published results have these examples."""
    train, held_out = hold_out(20)
    expected = np.sort(np.random.default_rng(0).permutation(20)[:2])
    assert (held_out == expected).all() and len(train) == 18


def test_lone_surrogates_are_replaced_and_counted():
    question = Question("why \udc00?", "\ud83d\U0001f600 so", (("so", 3),))
    splits = {"train": [("a \ud83d\ud83d", "x"), ("b", "y\udfff")], "test": [question]}
    replaced, facts = replace_surrogates(splits)
    assert replaced["train"] == [("a ??", "x"), ("b", "y?")]
    assert replaced["test"] == [Question("why ??", "?\U0001f600 so", (("so", 3),))]
    assert facts == {"replaced_surrogates": {"train": 3, "test": 2}}
