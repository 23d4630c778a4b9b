"""Grouped queries, keys and values, and attention by its definition."""

from __future__ import annotations

import numpy as np

BATCH, HEADS, GROUPS, LENGTH, SIZE = 3, 6, 2, 41, 4


def states(seed: int = 0, num_queries: int = LENGTH) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    shapes = [(HEADS, num_queries), (GROUPS, LENGTH), (GROUPS, LENGTH)]
    return [generator.normal(size=(BATCH, *s, SIZE)).astype("float32") for s in shapes]


def visible(num_queries, causal=False, window=None, num_sinks=0, offset=0) -> np.ndarray:
    """Return which keys each query sees, position by position."""
    seen = np.zeros((num_queries, LENGTH), bool)
    for query in range(num_queries):
        for key in range(LENGTH):
            distance = key - query - offset
            near = window is None or -window < distance < window or key < num_sinks
            seen[query, key] = near and not (causal and distance > 0)
    return seen


def oracle(query, key, value, allowed, bias=0.0, scale=SIZE**-0.5) -> np.ndarray:
    """Return attention with each key/value head repeated for its query heads."""
    key, value = (np.repeat(part, HEADS // GROUPS, axis=1) for part in (key, value))
    scores = scale * np.einsum("bhnd,bhmd->bhnm", query, key) + bias
    scores = np.where(allowed, scores, -1e30)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.einsum("bhnm,bhmd->bhnd", weights / weights.sum(axis=-1, keepdims=True), value)
