"""Random ListOps expressions with the distribution of Long Range Arena's generator."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
CLOSE = "]"
TOKENS = ("[PAD]", *(str(digit) for digit in range(10)), *OPERATORS, CLOSE)
MAX_DEPTH, MAX_ARGUMENTS = 10, 10
OPERATOR_SHARE = 0.25
"""The probability that an argument is an expression rather than a digit."""
FIRST_DIGIT_ID, FIRST_OPERATOR_ID, CLOSE_ID = 1, 11, len(TOKENS) - 1


def draw_expressions(
    sizes: Mapping[str, int], shortest: int, longest: int
) -> dict[str, list[tuple[np.ndarray, int]]]:
    """Draw distinct expressions; each is an array of token ids and a value.

    `sizes` maps a split to its number of expressions. An expression has more than `shortest` and at
    most `longest` tokens.
    """
    generator = random.Random(20_261_120)  # noqa: S311 - not used for cryptography
    seen: set[bytes] = set()
    drawn: dict[str, list[tuple[np.ndarray, int]]] = {}
    for split, count in sizes.items():
        rows = drawn[split] = []
        while len(rows) < count:
            tokens: list[int] = []
            value = _draw(generator.getrandbits, generator.random, tokens, 1, longest)
            if value is None or not shortest < len(tokens) <= longest:
                continue
            row = np.array(tokens, np.int32)
            if row.tobytes() not in seen:
                seen.add(row.tobytes())
                rows.append((row, value))
    return drawn


def _draw(
    draw_bits: Callable[[int], int],
    draw_fraction: Callable[[], float],
    tokens: list[int],
    depth: int,
    longest: int,
) -> int | None:
    """Append the tokens of a random expression and return its value, or None if it is too long.

    Integers are drawn by rejection, as `Random.randrange` draws them but at a fraction of its cost:
    for each expression that fits, about five are drawn, with a hundred tokens each.
    """
    while (operator := draw_bits(3)) > 3:
        pass
    while (arguments := draw_bits(4)) > MAX_ARGUMENTS - 2:
        pass
    tokens.append(FIRST_OPERATOR_ID + operator)
    values = []
    may_nest = depth + 1 < MAX_DEPTH
    for _ in range(2 + arguments):
        if may_nest and draw_fraction() <= OPERATOR_SHARE:
            inner = _draw(draw_bits, draw_fraction, tokens, depth + 1, longest)
            if inner is None:
                return None
            value = inner
        else:
            while (value := draw_bits(4)) > 9:
                pass
            tokens.append(FIRST_DIGIT_ID + value)
        if len(tokens) > longest:
            return None
        values.append(value)
    tokens.append(CLOSE_ID)
    return _evaluate(operator, values)


def _evaluate(operator: int, values: list[int]) -> int:
    if operator == 0:
        return min(values)
    if operator == 1:
        return max(values)
    if operator == 2:
        middle, ordered = len(values) // 2, sorted(values)
        if len(values) % 2:
            return ordered[middle]
        return (ordered[middle - 1] + ordered[middle]) // 2
    return sum(values) % 10
