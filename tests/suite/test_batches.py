"""Batches of a stream: rows go on where they ended, and every example is seen once."""

from __future__ import annotations

import itertools

import numpy as np

from suite.child.batches import evaluation_batches, evaluation_order, training_stream
from suite.contracts import Examples


def examples(count: int) -> Examples:
    numbers = np.arange(count)[:, None].repeat(3, axis=1)
    return Examples({"numbers": numbers, "padding_mask": np.ones((count, 3), bool)}, {})


def rows(batch) -> np.ndarray:
    return batch.features["numbers"][:, 0]


def test_rows_of_a_stream_go_on_where_they_ended():
    count, batch_size = 23, 4
    stream = training_stream(examples(count), batch_size, seed=0, contiguous=True)
    batches = list(itertools.islice(stream, 12))
    assert [batch.fresh for batch in batches[:6]] == [True, False, False, False, False, True]
    for before, after in itertools.pairwise(batches):
        if not after.fresh:
            assert (rows(after) == (rows(before) + 1) % count).all()
    starts = [rows(batch)[0] for batch in batches if batch.fresh]
    assert len(set(starts)) > 1, "epochs begin at different places"


def test_evaluating_a_stream_sees_every_example_once_in_lanes():
    count, batch_size = 23, 4
    batches = list(evaluation_batches(examples(count), batch_size, contiguous=True))
    seen = np.concatenate([rows(batch)[: batch.num_examples] for batch in batches])
    assert sorted(seen) == list(range(count))
    assert (seen == evaluation_order(count, batch_size, contiguous=True)).all()
    assert [batch.fresh for batch in batches] == [True, *[False] * 4, True]
    assert (rows(batches[1]) == rows(batches[0]) + 1).all()


def test_fewer_examples_than_rows_still_fill_batches():
    batch = next(training_stream(examples(3), 8, seed=0, contiguous=True))
    assert len(rows(batch)) == 8 and batch.fresh
