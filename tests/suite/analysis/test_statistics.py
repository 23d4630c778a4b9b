"""Estimates and scaling exponents against known answers."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from scipy.special import stdtrit

from suite.analysis.estimates import margin_of_error, mean_interval, ratio_interval
from suite.analysis.growth import claimed_exponent, find_exponent, fit_exponent

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
    found = find_exponent({length: cost(length) for length in LENGTHS})
    assert found == pytest.approx(expected, abs=1e-3)


def test_n_log_n_lies_between_one_and_two():
    found = find_exponent({length: 5 + length * math.log(length) for length in LENGTHS})
    assert 1.0 < found < 1.3


def test_no_exponent_without_three_lengths_or_without_growth():
    assert find_exponent({1: 1.0, 2: 2.0}) is None
    assert find_exponent({1: 5.0, 2: 6.0, 3: 5.0}) is None
    assert find_exponent({1: 0.0, 2: 1.0, 3: 2.0, 4: 3.0}) is None  # a cost of nothing


def noisy_sweeps(cost, noise, rounds, generator):
    return [
        {length: 5.0 + cost(length) * generator.gauss(1, noise) for length in LENGTHS}
        for _ in range(rounds)
    ]


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_the_interval_of_an_exponent_contains_the_truth(power, noise):
    generator = random.Random(round(1e6 * power * noise))
    hits = 0
    for _ in range(200):
        estimate = fit_exponent(noisy_sweeps(lambda n: n**power, noise, 3, generator))
        hits += estimate is not None and estimate.low <= power <= estimate.high
    assert hits >= 190


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_a_fixed_cost_that_drowns_short_lengths_hides_no_exponent(power):
    """As memory does: 230 MiB of weights, and from 128 to 256 tokens less than the noise."""
    generator = random.Random(round(1e6 * power))
    hits, widths = 0, []
    lengths = [2**exponent for exponent in range(7, 15)]
    for _ in range(200):
        rounds = [
            {n: (230 + 2_000 * (n / 16_384) ** power) * generator.gauss(1, 0.02) for n in lengths}
            for _ in range(3)
        ]
        estimate = fit_exponent(rounds)
        hits += estimate.low <= power <= estimate.high
        widths.append(estimate.high - estimate.low)
    assert hits >= 190
    assert statistics.median(widths) < 0.3


def test_one_round_or_three_lengths_give_no_interval():
    sweep = {length: 5.0 + length**1.5 for length in LENGTHS}
    assert fit_exponent([sweep]).low is None
    short = {length: sweep[length] for length in LENGTHS[:3]}
    assert fit_exponent([short, short, short]).low is None
    assert fit_exponent([short, short, short]).value == pytest.approx(1.5, abs=1e-3)


def test_claims_are_exponents_over_the_same_lengths():
    assert claimed_exponent("n", LENGTHS) == pytest.approx(1, abs=1e-4)
    assert claimed_exponent("n^1.5", LENGTHS) == pytest.approx(1.5, abs=1e-4)
    assert 1.05 < claimed_exponent("n log n", LENGTHS) < 1.3
    assert claimed_exponent("linear in the window", LENGTHS) is None


def test_the_interval_of_a_mean_covers_the_truth_as_often_as_it_says():
    generator = random.Random(0)
    hits = 0
    for _ in range(2_000):
        estimate = mean_interval([generator.gauss(1, 2) for _ in range(3)])
        hits += estimate.low <= 1 <= estimate.high
    assert 0.93 <= hits / 2_000 <= 0.97


@pytest.mark.parametrize("interval", [mean_interval, ratio_interval])
def test_there_is_no_interval_below_three_repeats(interval):
    for values in ([2.0], [2.0, 2.5]):
        estimate = interval(values)
        assert (estimate.low, estimate.high, estimate.n) == (None, None, len(values))
    assert interval([2.0, 2.5, 2.2]).low < 2.2 < interval([2.0, 2.5, 2.2]).high


def test_margins_have_the_quantiles_of_scipy():
    found = [margin_of_error(freedom, 1.0) for freedom in range(1, 40)]
    assert found == pytest.approx([stdtrit(freedom, 0.975) for freedom in range(1, 40)], rel=1e-14)
