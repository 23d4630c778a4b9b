"""Random draws that generated tasks share."""

from __future__ import annotations

import numpy as np

CHUNK_NUMBERS = 2**23
"""The most random numbers that are held at once: 64 MiB."""


def draw_distinct(
    generator: np.random.Generator,
    count: int,
    size: int,
    num_choices: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Draw `size` different numbers below `num_choices` in each of `count` rows, in random order.

    The numbers of a row are drawn one after another, without replacement and in proportion to their
    weights. Without `weights`, all have the same probability. Each number waits an exponential time
    whose rate is its weight, and the first to arrive are drawn. Output: (count, size). Time O(count
    · num_choices · log num_choices).
    """
    rows = max(1, CHUNK_NUMBERS // num_choices)
    parts = []
    for start in range(0, count, rows):
        times = generator.exponential(size=(min(rows, count - start), num_choices))
        if weights is not None:
            times /= weights
        parts.append(times.argsort(axis=1)[:, :size])
    return np.concatenate(parts)


def power_of_two(values: np.ndarray) -> np.ndarray:
    """Return the exponent of the largest power of 2 that is at most each value of at least 1."""
    exponents: np.ndarray = np.frexp(values)[1] - 1
    return exponents


def power_of_two_names(largest: int = 2**24) -> list[str]:
    """Return the names of the ranges 1, 2-3, 4-7, … up to `largest`, by their exponent."""
    starts = [2**exponent for exponent in range(largest.bit_length())]
    return [f"{low}-{2 * low - 1}" if low > 1 else "1" for low in starts]
