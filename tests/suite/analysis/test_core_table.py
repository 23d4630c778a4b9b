"""The interval of the mean score of a block: seeds, and the test examples of each task."""

from __future__ import annotations

import math
import statistics

import pytest

from suite.analysis.core_table import normalized
from suite.analysis.ranking import Scores
from suite.records.benchmark_sections import Scale

SCALE = Scale(zero=0.0, task_version=1, benchmark_version=1, hundred=1.0, vanilla_version=1)
"""A unit of the metric is 100 points of the score."""
FOUR = [0.1, 0.3, 0.2, 0.6]
SIX = [0.2, 0.5, 0.1, 0.4, 0.3, 0.3]
T_OF_3, T_OF_5 = 3.18245, 2.57058


def place(parts, seeds=(0.5, 0.5, 0.5)):
    """Return the scores of a place whose parts are the same in each seed."""
    return Scores(dict(enumerate(seeds)), dict.fromkeys(range(len(seeds)), parts)), SCALE


def margin(scored):
    found = normalized(scored)
    assert found.value - found.low == pytest.approx(found.high - found.value)
    return found.high - found.value


def error(parts):
    return 100 * statistics.stdev(parts) / math.sqrt(len(parts))


def test_lengths_with_the_same_parts_keep_their_covariance():
    opposite = [0.5 - part for part in FOUR]
    assert margin({("text", 256): place(FOUR), ("text", 512): place(opposite)}) < 1e-9
    both = margin({("text", 256): place(FOUR), ("text", 512): place(FOUR)})
    assert both == pytest.approx(T_OF_3 * error(FOUR), rel=1e-4)


def test_lengths_with_other_parts_add_their_margins():
    """A text has fewer parts in long sequences; its interval must not leave the examples out."""
    found = margin({("text", 256): place(SIX), ("text", 4_096): place(FOUR)})
    assert found == pytest.approx((T_OF_5 * error(SIX) + T_OF_3 * error(FOUR)) / 2, rel=1e-4)


def test_tasks_are_independent_of_each_other_and_of_the_seeds():
    seeds = (0.4, 0.5, 0.6)
    found = margin({("text", 256): place(SIX, seeds), ("names", 128): place(FOUR, seeds)})
    of_examples = T_OF_5 * error(SIX) / 2, T_OF_3 * error(FOUR) / 2
    of_seeds = 4.30265 * 100 * 0.1 / math.sqrt(3)
    assert found == pytest.approx(math.hypot(*of_examples, of_seeds), rel=1e-4)


def test_parts_that_a_seed_lacks_are_left_out():
    without = Scores({0: 0.5, 1: 0.5, 2: 0.5}, {0: FOUR, 1: [None, *FOUR[1:]], 2: FOUR})
    found = margin({("names", 128): (without, SCALE)})
    assert found == pytest.approx(4.30265 * error(FOUR[1:]), rel=1e-4)
