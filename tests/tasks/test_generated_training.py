"""Tests of what the generated diagnostics train on: sizes, gaps and places of questions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from suite.api import SourceRequest
from suite.matrix.registry import load_registry
from tasks.common.draws import draw_distinct

TASKS = load_registry(()).tasks.plugins
SOURCE = SourceRequest("synthetic")
FEW = {"train_examples": 200}


def test_pairs_grow_with_the_length_and_training_mixes_sizes():
    task = TASKS["associative_recall"]
    counted = {
        length: Counter(task.load(SOURCE, length, FEW).train.targets["scored"].sum(axis=1).tolist())
        for length in (64, 128, 256)
    }
    assert counted[64] == {4: 200} and counted[128] == {8: 100, 4: 100}
    assert counted[256] == {16: 67, 8: 67, 4: 66}
    many = task.load(SOURCE, 128, {**FEW, "pairs": 32, "mixed_pairs": True})
    counted = Counter(many.train.targets["scored"].sum(axis=1).tolist())
    assert counted == {32: 50, 16: 50, 8: 50, 4: 50}
    assert (many.test.targets["scored"].sum(axis=1) == 32).all()
    alone = task.load(SOURCE, 256, {**FEW, "mixed_sizes": False}).train
    assert (
        alone.features["padding_mask"].all() and (alone.targets["scored"].sum(axis=1) == 16).all()
    )


def test_training_on_selective_copying_mixes_sizes():
    task = TASKS["selective_copying"]
    data = task.load(SOURCE, 64, {**FEW, "memorized": 4})
    counted = Counter(data.train.targets["scored"].sum(axis=1).tolist())
    assert counted == {1: 50, 2: 50, 3: 50, 4: 50}
    assert (data.test.targets["scored"].sum(axis=1) == 4).all()
    many = {"train_examples": 100, "memorized": 110}  # more sizes than examples
    assert task.load(SOURCE, 256, many).train.num_examples == 100


def test_training_on_retrieval_asks_throughout_and_more_often_near_the_start():
    data = TASKS["key_value_retrieval"].load(SOURCE, 512, {"train_examples": 2_000})
    asked = data.train.targets["scored"].mean(axis=0)
    means = [asked[start : 2 * start].mean() for start in (32, 64, 128, 256)]
    assert means == sorted(means, reverse=True) and means[0] > 2 * means[-1] > 0.05
    assert asked[-1] == 1 and (data.test.targets["scored"].sum(axis=1) == 1).all()


def test_the_gaps_of_queries_follow_the_power_law():
    """With one pair, a gap of g has a probability in proportion to g^(a − 1)."""
    task = TASKS["associative_recall"]
    for power in (0.01, 1.0):
        options = {"train_examples": 20_000, "pairs": 1, "gap_power": power, "mixed_sizes": False}
        scored = task.load(SOURCE, 32, options).train.targets["scored"]
        shares = scored.mean(axis=0)[2::2]
        expected = np.arange(1, 16) ** (power - 1)
        assert shares == pytest.approx(expected / expected.sum(), abs=0.012)
        assert scored[:, 1::2].sum() == 0


def test_weighted_draws_without_replacement_follow_the_chain_rule():
    weights = np.array([4.0, 2.0, 1.0])
    drawn = draw_distinct(np.random.default_rng(0), 40_000, 2, 3, weights)
    counts = Counter(map(tuple, drawn.tolist()))
    for (first, second), count in counts.items():
        assert first != second
        expected = weights[first] / 7 * weights[second] / (7 - weights[first])
        assert count / 40_000 == pytest.approx(expected, abs=0.01)
    assert len(counts) == 6
