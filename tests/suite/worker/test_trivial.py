"""Trivial predictors: their scores on generated data, against scores computed from the raw data."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from suite.api import task_options
from suite.matrix.registry import load_registry
from tests.builders.task_data import load_little

TASKS = load_registry().tasks.plugins


def scored(name, length, split="test"):
    task = TASKS[name]
    data = load_little(task, length, task_options(task, {}))
    predictions = task.predict_trivial(data.train, data.test, data.spec)
    return data, task.score(data.test, predictions, data.spec).metrics[task.primary_metric.name]


def test_the_majority_class_of_train_gives_the_accuracy():
    data, accuracy = scored("listops", 64)
    labels = Counter(np.asarray(data.train.targets["labels"]).tolist())
    most = labels.most_common(1)[0][0]
    assert accuracy == pytest.approx((np.asarray(data.test.targets["labels"]) == most).mean())
    assert 0 < accuracy < 0.5


def test_unigrams_of_train_give_the_bits_per_character():
    data, bits = scored("language_modeling", 64)

    def targets(examples):
        real = np.asarray(examples.features["padding_mask"])
        return np.asarray(examples.targets["next_ids"])[real].tolist()

    seen = Counter(targets(data.train))
    total = sum(seen.values()) + data.spec["vocabulary_size"]
    test = targets(data.test)
    expected = -sum(math.log2((seen[token] + 1) / total) for token in test) / len(test)
    assert bits == pytest.approx(expected, rel=1e-6) and 1 < bits < 8


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_has_a_trivial_predictor(name):
    assert type(TASKS[name]).predict_trivial.__qualname__ != "Task.predict_trivial"
