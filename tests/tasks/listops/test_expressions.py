"""Tests of ListOps expressions: values, depth, lengths and reproducibility."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from tasks.listops.expressions import TOKENS, draw_expressions

RULES = {
    "[MIN": min,
    "[MAX": max,
    "[MED": lambda values: int(statistics.median(values)),
    "[SM": lambda values: sum(values) % 10,
}


def evaluate(tokens: list[str]) -> tuple[int, int]:
    """Return an expression's value and depth, with a stack instead of recursion."""
    stack: list[list] = [[]]
    depth = 0
    for token in tokens:
        if token in RULES:
            stack.append([token])
            depth = max(depth, len(stack) - 1)
        elif token == "]":
            operator, *values = stack.pop()
            assert 2 <= len(values) <= 10
            stack[-1].append(RULES[operator](values))
        else:
            stack[-1].append(int(token))
    assert len(stack) == 1 and len(stack[0]) == 1
    return stack[0][0], depth


@pytest.mark.parametrize(("shortest", "longest"), [(16, 64), (125, 500)])
def test_values_depths_and_lengths_are_correct(shortest, longest):
    drawn = draw_expressions({"train": 200, "test": 50}, shortest, longest)
    depths = set()
    for rows in drawn.values():
        for ids, value in rows:
            expected, depth = evaluate([TOKENS[number] for number in ids])
            assert value == expected
            assert shortest < len(ids) <= longest
            depths.add(depth)
    assert max(depths) <= 9, "ten levels including the digits"
    every = [ids.tobytes() for rows in drawn.values() for ids, _ in rows]
    assert len(set(every)) == len(every)
    assert len({value for _, value in drawn["train"]}) == 10


def test_expressions_are_reproducible():
    one, other = (draw_expressions({"train": 20}, 16, 64)["train"] for _ in range(2))
    assert all((a == b).all() and x == y for (a, x), (b, y) in zip(one, other, strict=True))
    assert isinstance(one[0][0], np.ndarray)
