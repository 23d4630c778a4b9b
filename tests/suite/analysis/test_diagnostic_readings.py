"""The sentences on diagnostics: what they say of changes, problems, states, costs and depths."""

from __future__ import annotations

import pytest

from suite.analysis import diagnostic_readings as readings
from suite.analysis.diagnostics import Solved
from suite.analysis.estimates import Estimate


def named(values):
    """Return estimates of three seeds by place."""
    return {place: Estimate(value, None, None, 3) for place, value in values.items()}


@pytest.mark.parametrize(
    ("lines", "reading"),
    [
        ({}, ""),
        ({"a": {"8": 1.0}}, "The best is a with 1.000 at 8 (3 seeds)."),
        (
            {"a": {"8": 0.98}, "b": {"8": 0.2}},
            "No seed solves the task; the best is a with 0.980 at 8 (3 seeds).",
        ),
        # Models that solve nothing change by chance.
        (
            {"a": {"8": 0.5, "16": 0.53}, "b": {"8": 0.48, "16": 0.5}},
            "No seed solves the task; the best is a with 0.500 at 8 (3 seeds).",
        ),
        # One entry: the last place. A sentence ignores a change of at most 0.01.
        ({"a": {"8": 1.0, "16": 0.4, "32": 0.991}}, "From 8 to 32, a stays at 0.991 (3 seeds)."),
        # Several that are close at the first place: the place where they differ most.
        (
            {
                "a": {"8": 1.0, "16": 0.4, "32": 0.1},
                "b": {"8": 0.96, "16": 0.99, "32": 0.1},
                "c": {"8": 0.3, "16": 0.0, "32": 0.1},
            },
            "From 8 to 16, a falls from 1.000 to 0.400; b rises from 0.960 to 0.990. At 32, the "
            "scores are a 0.100 and b 0.100 (3 seeds).",
        ),
    ],
)
def test_what_is_said_of_a_change(lines, reading):
    given = [(name, named(values)) for name, values in lines.items()]
    solved = {name: Solved(3 * (values.get("8", 0) >= 0.99), 3) for name, values in lines.items()}
    assert readings.read_changes(given, solved, str) == reading


@pytest.mark.parametrize(
    ("figures", "reading"),
    [
        (
            {"a": {"x": 0.5, "y": 0.2}, "b": {"x": 0.1}},
            "No entry solves x or y with all its seeds; the closest is a with 0.500 in x, which 0 "
            "of 3 seeds solve.",
        ),
        (
            {"a": {"x": 1.0, "y": 1.0, "z": 0.1}, "b": {"z": 0.99}},
            "a solves x and y with all its seeds, no entry solves more problems (3 seeds).",
        ),
    ],
)
def test_what_is_said_of_problems(figures, reading):
    given = {name: named(values) for name, values in figures.items()}
    solved = {
        name: {problem: Solved(3 * (value >= 0.99), 3) for problem, value in values.items()}
        for name, values in figures.items()
    }
    assert readings.read_problems(given, solved) == reading


def test_what_is_said_without_a_solution_and_of_one_context():
    one, other = Estimate(0.4, None, None, 1), Estimate(0.3, None, None, 3)
    sizes = [("a", 1_088, one, Solved(0, 1)), ("b", 512, other, Solved(1, 3))]
    assert readings.read_states(sizes, "accuracy") == (
        "b solves the task with 1 of 3 seeds, no entry with more; the best is a with 0.400 and "
        "1.062 KiB of state (1 to 3 seeds)."
    )
    tied = [(name, 1_024, Estimate(value, None, None, 3), Solved(3, 3)) for name, value in
            (("a", 0.99), ("b", 1.0))]  # fmt: skip
    assert readings.read_states(tied, "accuracy") == (
        "The smallest state with which all seeds solve the task is that of a and b: 1 KiB, "
        "accuracy 0.990 to 1.000 (3 seeds)."
    )
    assert readings.read_costs([("a", named({"128": 1.0}))], "the state") == ""
    same = [(name, named({"128": 2.0, "512": 2.0})) for name in "ab"]
    assert readings.read_costs(same, "the state") == (
        "From a context of 128 to one of 512, the state changes by a factor of 1 for every entry "
        "(3 rounds)."
    )
    whole = {512: named({"0-10%": 1.0, "10-20%": 0.99})}
    assert readings.read_depths("a", whole, {512: 32}) == (
        "The lowest accuracy of a at any depth is 0.990 at length 512 (depth 10-20%, 32 sequences "
        "over 2 depths); 3 seeds."
    )
