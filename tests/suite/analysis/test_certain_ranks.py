"""Ranks that an entry with too few repeats may precede."""

from __future__ import annotations

import pytest

from suite.analysis.ranking import Scores, only_certain, rank


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize(
    ("of_two", "expected"),
    [
        (9.0, {"two": None, "first": None, "tied": None, "last": None}),
        (7.0, {"first": 1, "tied": 1, "two": None, "last": None}),
        (4.0, {"first": 1, "tied": 1, "last": 3, "two": None}),
    ],
)
def test_no_rank_is_given_that_a_line_with_few_repeats_may_precede(
    of_two, expected, higher_is_better
):
    sign = 1 if higher_is_better else -1
    values = {
        "first": (8.1, 8.0, 7.9),
        "tied": (7.9, 8.1, 7.9),
        "last": (5.0, 5.1, 4.9),
        "two": (of_two, of_two),
    }
    lines = {
        name: Scores({seed: sign * value for seed, value in enumerate(of_line)})
        for name, of_line in values.items()
    }
    found = only_certain(
        rank(lines, higher_is_better=higher_is_better), higher_is_better=higher_is_better
    )
    assert {one.name: one.rank for one in found.entries} == expected
    assert [one.name for one in found.entries] == list(expected)  # the best first
    withheld = {one.name: one.ahead for one in found.entries if one.ahead}
    assert withheld == {name: "two" for name, one in expected.items() if not one and name != "two"}
    assert all(one.detectable_difference is None for one in found.entries if one.ahead)
    assert (found.detectable_difference is None) is (of_two == 9.0)
