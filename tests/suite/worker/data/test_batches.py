"""Batches: their order and size, contiguous rows, and buckets."""

from __future__ import annotations

import itertools

import numpy as np

from suite.api import Examples
from suite.worker.data.batches import (
    bucket_lengths,
    evaluation_batches,
    evaluation_rows,
    training_stream,
)


def examples(count: int) -> Examples:
    numbers = np.arange(count)[:, None].repeat(3, axis=1)
    return Examples({"numbers": numbers, "padding_mask": np.ones((count, 3), bool)}, {})


def rows(batch) -> np.ndarray:
    return batch.features["numbers"][:, 0]


def test_rows_of_contiguous_batches_continue_the_previous_batch():
    count, batch_size = 23, 4
    stream = training_stream(examples(count), batch_size, seed=0, contiguous=True)
    batches = list(itertools.islice(stream, 12))
    assert [batch.fresh for batch in batches[:6]] == [True, False, False, False, False, True]
    for before, after in itertools.pairwise(batches):
        if not after.fresh:
            assert (rows(after) == (rows(before) + 1) % count).all()
    starts = [rows(batch)[0] for batch in batches if batch.fresh]
    assert len(set(starts)) > 1, "epochs begin at different places"


def test_contiguous_evaluation_reads_every_example_once_in_lanes():
    count, batch_size = 23, 4
    batches = list(evaluation_batches(examples(count), batch_size, contiguous=True))
    seen = np.concatenate([rows(batch)[: batch.num_examples] for batch in batches])
    assert sorted(seen) == list(range(count))
    assert (seen == np.concatenate(evaluation_rows(examples(count), batch_size, True))).all()
    assert [batch.fresh for batch in batches] == [True, *[False] * 4, True]
    assert (rows(batches[1]) == rows(batches[0]) + 1).all()


def test_training_batches_are_full_and_ordered_by_the_seed():
    def orders(seed):
        stream = training_stream(examples(23), 7, seed)
        return [rows(next(stream)).tolist() for _ in range(5)]

    assert orders(0) == orders(0) != orders(1)
    assert {len(batch) for batch in orders(0)} == {7}


def test_evaluation_covers_every_example_once_in_batches_of_one_size():
    batches = list(evaluation_batches(examples(23), 7))
    assert sum(batch.num_examples for batch in batches) == 23
    assert sum(batch.num_tokens for batch in batches) == examples(23).num_tokens
    assert {len(rows(batch)) for batch in batches} == {7}


def test_fewer_examples_than_rows_still_fill_a_batch():
    batch = next(training_stream(examples(3), 8, seed=0, contiguous=True))
    assert len(rows(batch)) == 8 and batch.fresh


HALVES = (0.5, 0.25, 0.125)


def ragged(real_lengths: list[int], full: int) -> Examples:
    mask = np.arange(full) < np.array(real_lengths)[:, None]
    numbers = np.arange(len(mask))[:, None].repeat(full, axis=1)
    return Examples({"numbers": numbers, "padding_mask": mask}, {"labels": np.arange(len(mask))})


def test_batches_of_a_bucket_hold_whole_examples_and_each_epoch_holds_every_example():
    real_lengths = [64, 65, 128, 129, 256, 300, 512, 1, 60, 70] * 6
    split = ragged(real_lengths, 512)
    assert (
        bucket_lengths(split, HALVES).tolist()
        == [64, 128, 128, 256, 256, 512, 512, 64, 64, 128] * 6
    )
    stream = training_stream(split, 4, seed=0, buckets=HALVES)
    first = [next(stream) for _ in range(4)]
    assert [batch.features["padding_mask"].shape[1] for batch in first] == [512, 256, 128, 64]
    seen = []
    for batch in itertools.islice(stream, 15 * 8):
        count, length = batch.features["padding_mask"].shape
        assert (count, batch.num_examples) == (4, 4)
        assert [real_lengths[row] for row in rows(batch)] == batch.features["padding_mask"].sum(
            axis=1
        ).tolist()
        assert batch.targets["labels"].tolist() == rows(batch).tolist()
        assert (bucket_lengths(split, HALVES)[rows(batch)] == length).all()
        seen += rows(batch).tolist()
    times = np.bincount(seen, minlength=60)
    assert times.min() >= 7 and times.max() <= 8, "eight epochs, less the queued examples"


def test_evaluation_by_buckets_reads_every_example_once_the_longest_first():
    split = ragged([64, 500, 100, 30, 20, 512, 7], 512)
    batches = list(evaluation_batches(split, 2, buckets=HALVES))
    seen = np.concatenate([rows(batch)[: batch.num_examples] for batch in batches])
    assert seen.tolist() == [1, 5, 2, 0, 3, 4, 6]
    assert (seen == np.concatenate(evaluation_rows(split, 2, buckets=HALVES))).all()
    assert [b.features["padding_mask"].shape for b in batches] == [
        *[(2, 512), (2, 128)],
        *[(2, 64)] * 2,
    ]


def test_buckets_that_save_little_are_not_used():
    assert set(bucket_lengths(ragged([500, 512, 300, 512, 200], 512), HALVES)) == {512}
    assert set(bucket_lengths(ragged([10, 10], 512), ())) == {512}
