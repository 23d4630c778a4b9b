"""Arrays → batches of one fixed shape, the same for every backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.contracts import Examples, count_real


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: features and targets by name, and how many of its positions are real.

    `fresh` says that its rows do not go on where those of the batch before ended.
    """

    features: Mapping[str, Any]
    targets: Mapping[str, Any]
    num_tokens: int
    num_examples: int
    fresh: bool = True


def _take(examples: Examples, rows: np.ndarray, num_examples: int, fresh: bool = True) -> Batch:
    features = {name: np.asarray(values[rows]) for name, values in examples.features.items()}
    targets = {name: np.asarray(values[rows]) for name, values in examples.targets.items()}
    real = {name: values[:num_examples] for name, values in features.items()}
    return Batch(features, targets, count_real(real), num_examples, fresh)


def training_stream(
    examples: Examples, batch_size: int, seed: int, contiguous: bool = False
) -> Iterator[Batch]:
    """Yield batches for ever: every epoch a new order, drawn from `seed` alone.

    Epochs follow one another without a cut, so every batch is full and every architecture of a
    comparison sees the same examples in the same order. Where `contiguous`, each row of a batch
    goes on where it ended in the batch before; an epoch begins at a random example, and the rows
    come round from the last to the first.
    """
    generator = np.random.default_rng(seed)
    while contiguous and examples.num_examples >= batch_size:
        first = generator.integers(examples.num_examples)
        for step, rows in enumerate(_lanes(examples.num_examples, batch_size)):
            rows = (rows + first) % examples.num_examples
            yield _take(examples, rows, batch_size, fresh=step == 0)
    waiting = np.empty(0, dtype=np.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, generator.permutation(examples.num_examples)])
        yield _take(examples, waiting[:batch_size], batch_size)
        waiting = waiting[batch_size:]


def evaluation_batches(
    examples: Examples, batch_size: int, contiguous: bool = False
) -> Iterator[Batch]:
    """Yield every example once; the last batch is filled up with the first example.

    In order, or, where `contiguous`, in as many lanes as a batch has rows: `evaluation_order` says
    which example comes when.
    """
    order = evaluation_order(examples.num_examples, batch_size, contiguous)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        missing = batch_size - len(rows)
        fresh = start == 0 or missing > 0 or not contiguous
        yield _take(examples, np.pad(rows, (0, missing)), batch_size - missing, fresh)


def evaluation_order(num_examples: int, batch_size: int, contiguous: bool) -> np.ndarray:
    """Return the numbers of all examples in the order in which evaluation sees them.

    What does not divide into lanes comes last.
    """
    order = np.arange(num_examples)
    if not contiguous:
        return order
    in_lanes = np.concatenate([np.empty(0, np.int64), *_lanes(num_examples, batch_size)])
    return np.concatenate([in_lanes, order[len(in_lanes) :]])


def _lanes(num_examples: int, batch_size: int) -> Iterator[np.ndarray]:
    """Cut a stream of examples into as many lanes as a batch has rows; yield batch after batch."""
    steps = num_examples // batch_size
    for step in range(steps):
        yield np.arange(batch_size) * steps + step
