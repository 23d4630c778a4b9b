"""Arrays → batches of one fixed shape, the same for every backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suite.api import Examples, count_real


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


SHORTEST_TRIMMED = 64
"""No batch is cut shorter than this: each length costs a compilation."""
WORTH_TRIMMING = 0.25
"""The share of positions that cutting has to save."""
FIRST_SHARE = 0.1
"""The share of the examples, the shortest, with which a curriculum begins."""


def real_lengths(examples: Examples) -> np.ndarray:
    """Return where the padding at the end of each example begins: (examples,)."""
    mask = np.asarray(examples.features["padding_mask"])
    lengths: np.ndarray = mask.shape[1] - mask[:, ::-1].argmax(axis=1)
    return lengths


def bucket_lengths(examples: Examples, buckets: Sequence[float]) -> np.ndarray:
    """Return the length at which each example is laid: (examples,).

    The full length, or, where much is saved by it, the smallest of the shares `buckets` of it that
    holds the example.
    """
    full = examples.features["padding_mask"].shape[1]
    lengths = np.full(examples.num_examples, full)
    if not buckets:
        return lengths
    real = real_lengths(examples)
    for shorter in sorted((int(full * share) for share in buckets), reverse=True):
        if shorter >= SHORTEST_TRIMMED:
            lengths[real <= shorter] = shorter
    saved = 1 - lengths.mean() / full
    return lengths if saved >= WORTH_TRIMMING else np.full(examples.num_examples, full)


def _take(
    examples: Examples,
    rows: np.ndarray,
    num_examples: int,
    *,
    fresh: bool = True,
    length: int | None = None,
) -> Batch:
    full = examples.features["padding_mask"].shape[1]

    def cut(values: Any) -> np.ndarray:
        taken = np.asarray(values[rows])
        along = taken.ndim > 1 and taken.shape[1] == full
        return taken[:, :length] if along and length is not None else taken

    features = {name: cut(values) for name, values in examples.features.items()}
    targets = {name: cut(values) for name, values in examples.targets.items()}
    real = {name: values[:num_examples] for name, values in features.items()}
    return Batch(features, targets, count_real(real), num_examples, fresh)


def augmented(
    batches: Iterator[Batch], augment: Callable[..., Mapping[str, Any]], seed: int
) -> Iterator[Batch]:
    """Yield batches with their features varied by `augment(features, generator)`.

    What is drawn depends on the seed alone, and so is the same for every architecture.
    """
    generator = np.random.default_rng([seed, 1])  # another stream than the order of the examples
    for batch in batches:
        yield replace(batch, features=augment(batch.features, generator=generator))


def training_stream(
    examples: Examples,
    batch_size: int,
    seed: int,
    contiguous: bool = False,
    buckets: Sequence[float] = (),
    curriculum_steps: int = 0,
) -> Iterator[Batch]:
    """Yield batches for ever: every epoch a new order, drawn from `seed` alone.

    Epochs follow one another without a cut, so every batch is full and every architecture of a
    comparison sees the same examples in the same order. Where `contiguous`, each row of a batch
    goes on where it ended in the batch before; an epoch begins at a random example, and the rows
    come round from the last to the first. Where padding is trimmed, a batch's examples are of one
    laid length, and the first batches are one of each, the longest first. In the first
    `curriculum_steps` an epoch leaves out what is yet too long (`Recipe.curriculum_share`).
    """
    generator = np.random.default_rng(seed)
    while contiguous and examples.num_examples >= batch_size:
        first = generator.integers(examples.num_examples)
        for step, rows in enumerate(_lanes(examples.num_examples, batch_size)):
            rows = (rows + first) % examples.num_examples
            yield _take(examples, rows, batch_size, fresh=step == 0)
    lengths = bucket_lengths(examples, buckets)
    waiting = {int(length): np.empty(0, np.int64) for length in np.unique(lengths)[::-1]}
    if len(waiting) > 1:
        for length in waiting:
            rows = np.resize(np.flatnonzero(lengths == length), batch_size)
            yield _take(examples, rows, batch_size, length=length)
    real = real_lengths(examples)
    ranked = np.sort(real)
    steps = 0
    while True:
        for rows in np.array_split(
            generator.permutation(examples.num_examples),
            math.ceil(examples.num_examples / batch_size),
        ):
            if steps < curriculum_steps:
                share = FIRST_SHARE + (1 - FIRST_SHARE) * steps / curriculum_steps
                rows = rows[real[rows] <= ranked[int(share * (len(ranked) - 1))]]
            for length in waiting:
                waiting[length] = np.append(waiting[length], rows[lengths[rows] == length])
                if len(waiting[length]) >= batch_size:
                    chosen, waiting[length] = np.split(waiting[length], [batch_size])
                    steps += 1
                    yield _take(examples, chosen, batch_size, length=length)


def evaluation_batches(
    examples: Examples, batch_size: int, contiguous: bool = False, buckets: Sequence[float] = ()
) -> Iterator[Batch]:
    """Yield every example once; a batch that is not full is filled up with the first example.

    `evaluation_rows` says which example comes when.
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
    """Return the examples of each batch of an evaluation, at most `batch_size` each.

    Where `contiguous`, in as many lanes as a batch has rows, and what does not divide into lanes
    comes last; else in order, the longest laid length first.
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


def _lanes(num_examples: int, batch_size: int) -> Iterator[np.ndarray]:
    """Cut a stream of examples into as many lanes as a batch has rows; yield batch after batch."""
    steps = num_examples // batch_size
    for step in range(steps):
        yield np.arange(batch_size) * steps + step
