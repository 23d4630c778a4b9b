"""ListOps expressions, drawn as Long Range Arena's generator draws them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
CLOSE = "]"
TOKENS = ("[PAD]", *(str(digit) for digit in range(10)), *OPERATORS, CLOSE)
MAX_DEPTH, MAX_ARGUMENTS = 10, 10
OPERATOR_SHARE = 0.25
"""The share of values that are expressions themselves."""
_DIGIT, _OPERATOR, _CLOSE = 1, 11, len(TOKENS) - 1


def draw_expressions(
    sizes: Mapping[str, int], shortest: int, longest: int
) -> dict[str, list[tuple[np.ndarray, int]]]:
    """Draw so many different expressions of each split, their tokens and their values."""
    generator = random.Random(20_261_120)  # noqa: S311 - data, not secrets
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
    draw_share: Callable[[], float],
    tokens: list[int],
    depth: int,
    longest: int,
) -> int | None:
    """Append an expression's tokens and return its value, or None once it is too long.

    Five are drawn for each that fits, of a hundred tokens: what is below a limit is drawn here, as
    `Random.randrange` does it, at a fraction of the cost.
    """
    while (operator := draw_bits(3)) > 3:
        pass
    while (arguments := draw_bits(4)) > MAX_ARGUMENTS - 2:
        pass
    tokens.append(_OPERATOR + operator)
    values = []
    nests = depth + 1 < MAX_DEPTH
    for _ in range(2 + arguments):
        if nests and draw_share() <= OPERATOR_SHARE:
            inner = _draw(draw_bits, draw_share, tokens, depth + 1, longest)
            if inner is None:
                return None
            value = inner
        else:
            while (value := draw_bits(4)) > 9:
                pass
            tokens.append(_DIGIT + value)
        if len(tokens) > longest:
            return None
        values.append(value)
    tokens.append(_CLOSE)
    return _apply(operator, values)


def _apply(operator: int, values: list[int]) -> int:
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
