"""ListOps expressions, drawn as Long Range Arena's generator draws them."""

from __future__ import annotations

import random
from collections.abc import Mapping

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
            value = _draw(generator, tokens, 1, longest)
            if value is None or not shortest < len(tokens) <= longest:
                continue
            row = np.array(tokens, np.int32)
            if row.tobytes() not in seen:
                seen.add(row.tobytes())
                rows.append((row, value))
    return drawn


def _draw(generator: random.Random, tokens: list[int], depth: int, longest: int) -> int | None:
    """Append an expression's tokens and return its value, or None once it is too long."""
    if depth >= MAX_DEPTH or (depth > 1 and generator.random() > OPERATOR_SHARE):
        digit = generator.randrange(10)
        tokens.append(_DIGIT + digit)
        return digit
    operator = generator.randrange(len(OPERATORS))
    tokens.append(_OPERATOR + operator)
    values = []
    for _ in range(generator.randint(2, MAX_ARGUMENTS)):
        value = _draw(generator, tokens, depth + 1, longest)
        if value is None or len(tokens) > longest:
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
