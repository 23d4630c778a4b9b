"""Tests of the length warm-up."""

from __future__ import annotations

import itertools

import numpy as np

from suite.api import Examples
from suite.methods.length_warmup import METHOD
from suite.worker.data.batches import training_stream
from tests.builders.methods import context_of


def test_the_first_batches_are_the_same_tokens_in_short_windows():
    ids = np.arange(6 * 512).reshape(6, 512)
    split = Examples(
        {"token_ids": ids, "padding_mask": np.ones(ids.shape, bool)},
        {"next_ids": ids + 1, "document": np.arange(6)},
    )
    context = context_of("length_warmup", {"length": 128, "share": 0.5}, steps=4)
    plain = list(itertools.islice(training_stream(split, 2, 0), 4))
    found = list(itertools.islice(METHOD.batches(iter(plain), context), 4))
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
