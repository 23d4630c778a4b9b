"""Arrays → batches of one fixed shape, the same for every backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.contracts import Examples


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: features and targets by name, and how many of its positions are real."""

    features: Mapping[str, Any]
    targets: Mapping[str, Any]
    num_tokens: int
    num_examples: int


def _take(examples: Examples, rows: np.ndarray, num_examples: int) -> Batch:
    features = {name: np.asarray(values[rows]) for name, values in examples.features.items()}
    targets = {name: np.asarray(values[rows]) for name, values in examples.targets.items()}
    real = features["padding_mask"][:num_examples]
    return Batch(features, targets, int(real.sum()), num_examples)


def training_stream(examples: Examples, batch_size: int, seed: int) -> Iterator[Batch]:
    """Yield batches for ever: every epoch a new order, drawn from `seed` alone.

    Epochs follow one another without a cut, so every batch is full and every architecture of a
    comparison sees the same examples in the same order.
    """
    generator = np.random.default_rng(seed)
    waiting = np.empty(0, dtype=np.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, generator.permutation(examples.num_examples)])
        yield _take(examples, waiting[:batch_size], batch_size)
        waiting = waiting[batch_size:]


def evaluation_batches(examples: Examples, batch_size: int) -> Iterator[Batch]:
    """Yield every example once, in order; the last batch is filled up with the first example."""
    for start in range(0, examples.num_examples, batch_size):
        rows = np.arange(start, start + batch_size)
        inside = int((rows < examples.num_examples).sum())
        yield _take(examples, np.where(rows < examples.num_examples, rows, 0), inside)
