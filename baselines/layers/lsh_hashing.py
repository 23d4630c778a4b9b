"""Locality-sensitive hashing of vectors into buckets by random rotations.

Kitaev, Kaiser, Levskaya 2020, "Reformer: The Efficient Transformer", section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

MAX_FACTOR = 128
"""Above this number of buckets, hashing to two factors is cheaper than hashing to one."""


def factor_buckets(num_buckets: int) -> tuple[int, ...]:
    """Return the even factors of a number of buckets: one, or two above `MAX_FACTOR`.

    Hashing to b buckets costs O(n·b). With factors b₁·b₂ = b near √b it costs O(n·(b₁ + b₂)), as in
    the authors' code. If b has no such factors, the product is the next number that has them.
    """
    num_buckets += num_buckets % 2
    if num_buckets <= MAX_FACTOR:
        return (num_buckets,)
    first = 2 * round(num_buckets**0.5 / 2)
    second = -(-num_buckets // first)
    return (first, second + second % 2)


def hash_vectors(vectors: Any, rotations: Any, factors: Sequence[int] | None = None) -> Any:
    """Return the bucket of each vector in each round: argmax of [xR; −xR] (section 2).

    Shapes: vectors (batch, n, heads, d), rotations (heads, d, rounds, half the sum of factors).
    Without `factors`, the rotations belong to a single factor. Out: (batch, heads, rounds, n).
    Each factor has its own R; with two factors the bucket is h₁ + b₁·h₂. Time and memory
    O(n · rounds · Σ factors).
    """
    rotations = ops.cast(rotations, vectors.dtype)
    rotated = ops.einsum("bnhd,hdrk->bhrnk", vectors, rotations)
    factors = tuple(factors or (2 * rotations.shape[-1],))
    buckets: Any = 0
    size, start = 1, 0
    for factor in factors:
        part = rotated[..., start : start + factor // 2]
        # The argmax of [xR; −xR] does not need the second half in memory.
        highest, lowest = ops.max(part, axis=-1), ops.min(part, axis=-1)
        from_first = ops.cast(ops.argmax(part, axis=-1), "int32")
        from_second = ops.cast(ops.argmin(part, axis=-1), "int32") + factor // 2
        buckets = buckets + size * ops.where(highest >= -lowest, from_first, from_second)
        size, start = size * factor, start + factor // 2
    return buckets


def draw_rotations(shape: Sequence[int], seed: int | Sequence[int]) -> np.ndarray:
    """Return normally distributed rotations R for every head and round, drawn from a seed."""
    return np.random.default_rng(seed).normal(size=tuple(shape)).astype("float32")
