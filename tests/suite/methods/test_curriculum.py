"""Methods that begin with short examples: the curriculum and the length warm-up."""

from __future__ import annotations

import itertools

import numpy as np

from suite.api import Examples, TaskData, count_real
from suite.methods.curriculum import METHOD as CURRICULUM
from suite.methods.length_warmup import METHOD as LENGTH_WARMUP
from suite.worker.data.batches import training_stream
from tests.builders.methods import context_of

NUM_STEPS, BATCH = 200, 4


def split_of(lengths, full=512):
    mask = np.arange(full) < np.asarray(lengths)[:, None]
    numbers = np.arange(len(mask))
    return Examples({"padding_mask": mask, "numbers": numbers}, {"labels": numbers})


def batches_of(split, share, buckets=()):
    context = context_of("curriculum", {"share": share}, steps=NUM_STEPS)
    CURRICULUM.data(TaskData(split, split, split, spec={}, facts={}), context)
    return CURRICULUM.batches(training_stream(split, BATCH, 0, False, buckets), context)


def test_a_curriculum_begins_with_the_shortest_tenth_and_ends_with_all_examples():
    lengths = np.random.default_rng(0).permutation(np.arange(1, 513))
    split = split_of(lengths)
    found = list(itertools.islice(batches_of(split, 1.0), 999))
    for batch in found:
        rows = batch.features["numbers"]
        assert (batch.targets["labels"] == rows).all()
        assert (batch.features["padding_mask"].sum(axis=1) == lengths[rows]).all()
        assert batch.num_tokens == count_real(batch.features) and batch.num_examples == BATCH
    longest = [int(lengths[batch.features["numbers"]].max()) for batch in found]
    for step in range(1, NUM_STEPS):
        assert longest[step] <= 1 + (0.1 + 0.9 * step / NUM_STEPS) * 511, step
    assert max(longest[1:20]) > 40 and max(longest[150:200]) > 350, "the limit grows to all lengths"
    after = np.concatenate([batch.features["numbers"] for batch in found[NUM_STEPS:]])
    times = np.bincount(after, minlength=512)
    assert times.min() >= 5 and times.max() <= 8, "afterwards, every epoch holds every example"


def test_the_first_batch_of_each_length_is_unchanged_and_no_batch_mixes_lengths():
    split = split_of(np.random.default_rng(0).integers(1, 513, 300))
    buckets = (0.5, 0.25, 0.125)
    plain = training_stream(split, BATCH, 0, False, buckets)
    found = list(itertools.islice(batches_of(split, 0.5, buckets), NUM_STEPS))
    for batch, expected in zip(found[:4], plain, strict=False):
        assert (batch.features["numbers"] == expected.features["numbers"]).all()
    assert [batch.features["padding_mask"].shape[1] for batch in found[:4]] == [512, 256, 128, 64]
    assert {batch.features["padding_mask"].shape for batch in found[4:20]} <= {(4, 64), (4, 128)}


def test_the_first_batches_are_the_same_tokens_in_short_windows():
    ids = np.arange(6 * 512).reshape(6, 512)
    split = Examples(
        {"token_ids": ids, "padding_mask": np.ones(ids.shape, bool)},
        {"next_ids": ids + 1, "document": np.arange(6)},
    )
    context = context_of("length_warmup", {"length": 128, "share": 0.5}, steps=4)
    plain = list(itertools.islice(training_stream(split, 2, 0), 4))
    found = list(itertools.islice(LENGTH_WARMUP.batches(iter(plain), context), 4))
    shapes = [batch.features["token_ids"].shape for batch in found]
    assert shapes == [(8, 128), (8, 128), (2, 512), (2, 512)]
    for cut, whole in zip(found, plain, strict=True):
        assert (cut.features["token_ids"].reshape(2, 512) == whole.features["token_ids"]).all()
        assert (cut.targets["next_ids"] == cut.features["token_ids"] + 1).all()
        assert (cut.targets["document"] == cut.features["token_ids"][:, 0] // 512).all()
        assert (cut.num_tokens, cut.num_examples) == (
            whole.num_tokens,
            len(cut.features["token_ids"]),
        )
