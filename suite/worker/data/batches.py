"""Batches of fixed shapes from arrays, the same for every backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.api import Examples, count_real, real_lengths

Features = Mapping[str, Any]
"""Arrays by name."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: features and targets by name, and its numbers of real positions and examples.

    `fresh` is False where each row continues the same row of the previous batch.
    """

    features: Features
    targets: Features
    num_tokens: int
    num_examples: int
    fresh: bool = True


DrawUpdates = Callable[[Examples, int, np.random.Generator], Iterator[np.ndarray] | None]
"""Yields the rows of each batch of a given size, or returns None."""
MIN_BUCKET_LENGTH = 64
"""The shortest length of a bucket: each length costs a compilation."""
MIN_SAVED_SHARE = 0.25
"""The share of positions that buckets have to save; otherwise all batches have the full length."""


def bucket_lengths(examples: Examples, buckets: Sequence[float]) -> np.ndarray:
    """Return the length of each example's bucket: (examples,).

    `buckets` are shares of the full length. The bucket of an example is the shortest that holds
    the example. All lengths are the full length where buckets save less than `MIN_SAVED_SHARE`.
    """
    full = examples.features["padding_mask"].shape[1]
    lengths = np.full(examples.num_examples, full)
    if not buckets:
        return lengths
    real = real_lengths(examples.features)
    for shorter in sorted((int(full * share) for share in buckets), reverse=True):
        if shorter >= MIN_BUCKET_LENGTH:
            lengths[real <= shorter] = shorter
    saved = 1 - lengths.mean() / full
    return lengths if saved >= MIN_SAVED_SHARE else np.full(examples.num_examples, full)


def _take(
    examples: Examples,
    rows: np.ndarray,
    num_examples: int,
    *,
    fresh: bool = True,
    length: int | None = None,
) -> Batch:
    """Return the batch of the given rows, cut to `length` positions.

    Rows from `num_examples` on only fill the batch; their tokens are not counted.
    """
    full = examples.features["padding_mask"].shape[1]

    def cut(values: Any) -> np.ndarray:
        taken = np.asarray(values[rows])
        along = taken.ndim > 1 and taken.shape[1] == full
        return taken[:, :length] if along and length is not None else taken

    features = {name: cut(values) for name, values in examples.features.items()}
    targets = {name: cut(values) for name, values in examples.targets.items()}
    real = {name: values[:num_examples] for name, values in features.items()}
    return Batch(features, targets, count_real(real), num_examples, fresh)


def training_stream(
    examples: Examples,
    batch_size: int,
    seed: int,
    contiguous: bool = False,
    buckets: Sequence[float] = (),
    draw_updates: DrawUpdates | None = None,
) -> Iterator[Batch]:
    """Yield training batches without end; the order of the examples depends on `seed` alone.

    All architectures of a comparison thus see the same examples in the same order, drawn anew in
    every epoch. Every batch is full and may span two epochs. With `contiguous`, each row continues
    the same row of the batch before, and an epoch begins at a random example and wraps around. All
    examples of a batch are of one of the `buckets`; the first batches are one of each, the longest
    first. The rows that `draw_updates` yields replace all other orders.
    """
    generator = np.random.default_rng(seed)
    drawn = draw_updates(examples, batch_size, generator) if draw_updates else None
    if drawn is not None:
        yield from (_take(examples, rows, batch_size) for rows in drawn)
    if contiguous and examples.num_examples >= batch_size:
        yield from _contiguous_stream(examples, batch_size, generator)
    yield from _shuffled_stream(examples, batch_size, generator, buckets)


def _contiguous_stream(
    examples: Examples, batch_size: int, generator: np.random.Generator
) -> Iterator[Batch]:
    while True:
        first = generator.integers(examples.num_examples)
        for step, rows in enumerate(_lanes(examples.num_examples, batch_size)):
            rows = (rows + first) % examples.num_examples
            yield _take(examples, rows, batch_size, fresh=step == 0)


def _shuffled_stream(
    examples: Examples,
    batch_size: int,
    generator: np.random.Generator,
    buckets: Sequence[float],
) -> Iterator[Batch]:
    lengths = bucket_lengths(examples, buckets)
    queues = {int(length): np.empty(0, np.int64) for length in np.unique(lengths)[::-1]}
    if len(queues) > 1:
        for length in queues:
            rows = np.resize(np.flatnonzero(lengths == length), batch_size)
            yield _take(examples, rows, batch_size, length=length)
    num_groups = math.ceil(examples.num_examples / batch_size)
    while True:
        order = generator.permutation(examples.num_examples)
        for rows in np.array_split(order, num_groups):
            for length in queues:
                queues[length] = np.append(queues[length], rows[lengths[rows] == length])
                if len(queues[length]) >= batch_size:
                    chosen, queues[length] = np.split(queues[length], [batch_size])
                    yield _take(examples, chosen, batch_size, length=length)


def evaluation_batches(
    examples: Examples, batch_size: int, contiguous: bool = False, buckets: Sequence[float] = ()
) -> Iterator[Batch]:
    """Yield every example once, in the order of `evaluation_rows`.

    An incomplete batch is filled up with the first example.
    """
    lengths = bucket_lengths(examples, buckets)
    for number, rows in enumerate(evaluation_rows(examples, batch_size, contiguous, buckets)):
        missing = batch_size - len(rows)
        fresh = number == 0 or missing > 0 or not contiguous
        length = int(lengths[rows[0]])
        padded = np.pad(rows, (0, missing))
        yield _take(examples, padded, batch_size - missing, fresh=fresh, length=length)


def evaluation_rows(
    examples: Examples, batch_size: int, contiguous: bool = False, buckets: Sequence[float] = ()
) -> list[np.ndarray]:
    """Return the examples of each evaluation batch, at most `batch_size` each.

    Without `contiguous`, the examples keep their order, the longest bucket first. With it, each
    row of the batches is a lane of consecutive examples, and the remaining examples come last.
    """
    if contiguous:
        lanes = list(_lanes(examples.num_examples, batch_size))
        rest = np.arange(len(lanes) * batch_size, examples.num_examples)
        return [*lanes, rest] if len(rest) else lanes
    lengths = bucket_lengths(examples, buckets)
    batches = []
    for length in np.unique(lengths)[::-1]:
        rows = np.flatnonzero(lengths == length)
        batches += np.split(rows, range(batch_size, len(rows), batch_size))
    return batches


def predict_examples(
    predict: Callable[[Batch], Any],
    examples: Examples,
    batch_size: int,
    contiguous: bool = False,
    buckets: Sequence[float] = (),
) -> np.ndarray:
    """Return the predictions of all examples, in their order."""
    batches = evaluation_batches(examples, batch_size, contiguous, buckets)
    batchwise = np.concatenate([predict(batch)[: batch.num_examples] for batch in batches])
    predictions = np.empty_like(batchwise)
    rows = evaluation_rows(examples, batch_size, contiguous, buckets)
    predictions[np.concatenate(rows)] = batchwise
    return predictions


def _lanes(num_examples: int, batch_size: int) -> Iterator[np.ndarray]:
    """Cut a stream of examples into one lane per row of a batch, and yield the rows batchwise."""
    steps = num_examples // batch_size
    for step in range(steps):
        yield np.arange(batch_size) * steps + step
