"""Estimates, and the growth of costs: exponents, quadratics and slopes against known answers."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from scipy.special import stdtrit

from suite.analysis.comparisons import compare
from suite.analysis.estimates import margin_of_error, mean_interval, ratio_interval
from suite.analysis.growth import (
    claimed_exponent,
    find_exponent,
    fit_exponent,
    fit_quadratic,
    fit_slope,
    growths,
)
from suite.matrix.registry import load_registry
from tests.suite.analysis.test_sessions import cost

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


SWEPT = (128, 512, 2_048, 8_192, 16_384)
ALPHA, BETA = 2e-6, 1e-9
"""The quadratic part is the larger from 2,000 positions on."""


def exact(alpha, beta, fixed=0.0, lengths=SWEPT):
    return {n: fixed + alpha * n + beta * n * n for n in lengths}


@pytest.mark.parametrize("fixed", [0.0, 1e-3])
def test_known_coefficients_are_found(fixed):
    fit = fit_quadratic([exact(ALPHA, BETA, fixed)] * 3)
    assert fit.linear.value == pytest.approx(ALPHA, rel=1e-6)
    assert fit.squared.value == pytest.approx(BETA, rel=1e-6)
    assert fit.fixed == pytest.approx(fixed, abs=1e-9)
    assert (fit.shortest, fit.longest) == (128, 16_384)


@pytest.mark.parametrize(("alpha", "beta"), [(ALPHA, BETA), (ALPHA, 0.0), (0.0, BETA)])
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_the_intervals_contain_the_truth_and_no_coefficient_is_negative(alpha, beta, noise):
    generator = random.Random(round(1e9 * (alpha + beta)) + round(1e3 * noise))
    hits = [0, 0]
    for _ in range(300):
        sweeps = [
            {n: value * generator.gauss(1, noise) for n, value in exact(alpha, beta, 1e-4).items()}
            for _ in range(3)
        ]
        fit = fit_quadratic(sweeps)
        for index, (found, truth) in enumerate(((fit.linear, alpha), (fit.squared, beta))):
            assert 0 <= found.low <= found.value <= found.high
            hits[index] += found.low <= truth <= found.high
        assert fit.fixed >= 0
    assert min(hits) >= 0.95 * 300


def test_a_cost_without_attention_has_no_quadratic_part():
    generator = random.Random(0)
    sweeps = [
        {n: value * generator.gauss(1, 0.01) for n, value in exact(ALPHA, 0.0).items()}
        for _ in range(3)
    ]
    assert fit_quadratic(sweeps).squared.low == 0.0


def test_few_rounds_or_lengths_give_no_interval_and_two_lengths_no_fit():
    assert fit_quadratic([exact(ALPHA, BETA)]).squared.low is None
    three = exact(ALPHA, BETA, lengths=SWEPT[:3])
    assert fit_quadratic([three] * 3).linear.low is None
    assert fit_quadratic([three] * 3).squared.value == pytest.approx(BETA, rel=1e-6)
    assert fit_quadratic([exact(ALPHA, BETA, lengths=SWEPT[:2])] * 3) is None
    assert fit_quadratic([{**three, 128: 0.0}]) is None
    assert fit_quadratic([]) is None


def test_only_what_claims_to_be_quadratic_is_fitted_so_and_each_fit_states_its_lengths():
    architectures = load_registry(()).architectures.plugins
    step, memory = "training.step_seconds", "training.peak_memory_bytes"
    records = [
        cost(
            entry, 0.0, round=number, length=length,
            measures={step: 1e-3 * length * 8_192 / length, memory: 1e3 * length},
        )
        for entry in ("vanilla", "longformer")
        for length in (512, 1_024, 2_048, 4_096)
        for number in range(3)
    ]  # fmt: skip
    (comparison,) = compare(records)
    found = {(item.entry, item.measure): item for item in growths(comparison, architectures)}
    assert found["vanilla", step].quadratic is not None
    assert found["longformer", step].quadratic is None
    assert {(item.shortest, item.longest) for item in found.values()} == {(512, 4_096)}
    fit = found["vanilla", step].quadratic
    assert (fit.shortest, fit.longest) == (512, 4_096)
    # A step of 8,192 positions takes 8.192 s at every length: 1 ms for each position.
    assert fit.linear.value == pytest.approx(1e-3, rel=1e-3)
    assert fit.squared.value * 4_096**2 < 1e-6


CONTEXTS = (128, 512, 2_048, 8_192, 16_384)
GROWING = 2e-7
"""The slope of full attention, in seconds per position."""


def sweeps(slope, noise=0.0, seed=0, lengths=CONTEXTS):
    generator = random.Random(seed)
    return [{n: (3e-4 + slope * n) * generator.gauss(1, noise) for n in lengths} for _ in range(3)]


def test_a_known_slope_is_found():
    found = fit_slope(sweeps(GROWING))
    assert found.value == pytest.approx(GROWING, rel=1e-6)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("slope", [0.0, GROWING])
def test_the_interval_contains_the_truth_and_excludes_0_where_the_time_grows(slope):
    found = [fit_slope(sweeps(slope, 0.05, seed)) for seed in range(200)]
    assert sum(item.low <= slope <= item.high for item in found) >= 0.95 * 200
    if slope:
        assert all(item.low > 0 for item in found)


def test_one_round_has_no_interval_and_two_contexts_no_slope():
    assert fit_slope(sweeps(GROWING)[:1]).low is None
    assert fit_slope(sweeps(GROWING, lengths=CONTEXTS[:2])) is None
    assert fit_slope([{**costs, 128: 0.0} for costs in sweeps(GROWING)]) is None
    assert fit_slope([]) is None
