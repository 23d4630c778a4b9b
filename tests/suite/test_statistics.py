"""Quartiles, summaries, exponents: against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite.statistics import quartiles, scaling_exponent, summarize

LENGTHS = (1_024, 2_048, 4_096, 8_192)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (lambda n: 300 + 0.05 * n, 1.0),
        (lambda n: 300 + 1e-4 * n**1.5, 1.5),
        (lambda n: 300 + 1e-5 * n**2, 2.0),
    ],
)
def test_the_exponent_of_a_power_is_found_whatever_the_fixed_cost(cost, expected):
    found = scaling_exponent({length: cost(length) for length in LENGTHS})
    assert found == pytest.approx(expected, abs=1e-3)


def test_n_log_n_lies_between_one_and_two():
    found = scaling_exponent({length: 5 + length * math.log(length) for length in LENGTHS})
    assert 1.0 < found < 1.3


def test_no_exponent_without_three_lengths_or_without_growth():
    assert scaling_exponent({1: 1.0, 2: 2.0}) is None
    assert scaling_exponent({1: 5.0, 2: 4.0, 3: 6.0}) is None


def test_quartiles_agree_with_numpy():
    samples = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0]
    assert quartiles(samples) == pytest.approx(tuple(np.quantile(samples, [0.25, 0.75])))
    assert quartiles([1.0]) is None


def test_summaries():
    summary = summarize([1.0, 2.0, 6.0])
    assert (summary.mean, summary.median, summary.lowest, summary.highest, summary.n) == (
        3.0,
        2.0,
        1.0,
        6.0,
        3,
    )
    assert summarize([]) is None
