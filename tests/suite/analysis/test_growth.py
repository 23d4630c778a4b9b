"""Estimates, and the growth of costs: exponents, quadratics and slopes against known answers."""

from __future__ import annotations

import random
import statistics

import numpy as np
import pytest

from suite.analysis.comparisons import compare
from suite.analysis.estimates import mean_interval, ratio_interval
from suite.analysis.growth import growths
from suite.analysis.growth_fits import (
    claimed_exponent,
    find_exponent,
    fit_exponent,
    fit_quadratic,
    fit_slope,
)
from suite.matrix.registry import load_registry
from tests.builders.costs import cost

LENGTHS = np.array([1_024.0, 2_048, 4_096, 8_192])
SWEPT = np.array([128.0, 512, 2_048, 8_192, 16_384])


def noisy_rounds(costs, noise, generator, fixed=0.0):
    """Return three rounds of costs, each with a relative error."""
    return [[fixed + each * generator.gauss(1, noise) for each in costs] for _ in range(3)]


@pytest.mark.parametrize(("factor", "power"), [(0.05, 1.0), (1e-4, 1.5), (1e-5, 2.0)])
def test_the_exponent_of_a_power_is_found_whatever_the_fixed_cost(factor, power):
    assert find_exponent(LENGTHS, 300 + factor * LENGTHS**power) == pytest.approx(power, abs=1e-3)


@pytest.mark.parametrize("costs", [[1.0, 2.0], [5.0, 6.0, 5.0], [0.0, 1.0, 2.0, 3.0]])
def test_no_exponent_without_three_lengths_growth_and_positive_costs(costs):
    assert find_exponent(range(1, len(costs) + 1), costs) is None


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_the_interval_of_an_exponent_contains_the_truth(power, noise):
    generator = random.Random(round(1e6 * power * noise))
    hits = 0
    for _ in range(200):
        rounds = noisy_rounds(LENGTHS**power, noise, generator, fixed=5.0)
        estimate = fit_exponent(LENGTHS, rounds)
        hits += estimate is not None and estimate.low <= power <= estimate.high
    assert hits >= 190


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_a_fixed_cost_that_drowns_short_lengths_hides_no_exponent(power):
    """As memory does: 230 MiB of weights, and from 128 to 256 tokens less than the noise."""
    generator = random.Random(round(1e6 * power))
    lengths = 2.0 ** np.arange(7, 15)
    hits, widths = 0, []
    for _ in range(200):
        rounds = noisy_rounds(230 + 2_000 * (lengths / 16_384) ** power, 0.02, generator)
        estimate = fit_exponent(lengths, rounds)
        hits += estimate.low <= power <= estimate.high
        widths.append(estimate.high - estimate.low)
    assert hits >= 190
    assert statistics.median(widths) < 0.3


def test_one_round_or_three_lengths_give_no_interval():
    costs = 5.0 + LENGTHS**1.5
    assert fit_exponent(LENGTHS, [costs]).low is None
    short = fit_exponent(LENGTHS[:3], [costs[:3]] * 3)
    assert short.low is None and short.value == pytest.approx(1.5, abs=1e-3)


def test_claims_are_exponents_over_the_same_lengths():
    lengths = tuple(LENGTHS)
    assert claimed_exponent("n", lengths) == pytest.approx(1, abs=1e-4)
    assert claimed_exponent("n^1.5", lengths) == pytest.approx(1.5, abs=1e-4)
    assert 1.05 < claimed_exponent("n log n", lengths) < 1.3
    assert claimed_exponent("linear in the window", lengths) is None


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


ALPHA, BETA = 2e-6, 1e-9
"""The quadratic part is the larger from 2,000 positions on."""


def quadratic_costs(alpha, beta, fixed=0.0, lengths=SWEPT):
    return fixed + alpha * lengths + beta * lengths**2


@pytest.mark.parametrize("fixed", [0.0, 1e-3])
def test_known_coefficients_are_found(fixed):
    found, linear, squared = fit_quadratic(SWEPT, [quadratic_costs(ALPHA, BETA, fixed)] * 3)
    assert linear.value == pytest.approx(ALPHA, rel=1e-6)
    assert squared.value == pytest.approx(BETA, rel=1e-6)
    assert found == pytest.approx(fixed, abs=1e-9)


@pytest.mark.parametrize(("alpha", "beta"), [(ALPHA, BETA), (ALPHA, 0.0), (0.0, BETA)])
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_the_intervals_contain_the_truth_and_no_coefficient_is_negative(alpha, beta, noise):
    generator = random.Random(round(1e9 * (alpha + beta)) + round(1e3 * noise))
    hits = [0, 0]
    for _ in range(300):
        rounds = noisy_rounds(quadratic_costs(alpha, beta, 1e-4), noise, generator)
        fixed, linear, squared = fit_quadratic(SWEPT, rounds)
        for index, (found, truth) in enumerate(((linear, alpha), (squared, beta))):
            assert 0 <= found.low <= found.value <= found.high
            hits[index] += found.low <= truth <= found.high
        assert fixed >= 0
    assert min(hits) >= 0.95 * 300


def test_a_cost_without_attention_has_no_quadratic_part():
    rounds = noisy_rounds(quadratic_costs(ALPHA, 0.0), 0.01, random.Random(0))
    assert fit_quadratic(SWEPT, rounds)[2].low == 0.0


def test_few_rounds_or_lengths_give_no_interval_and_two_lengths_no_fit():
    costs = quadratic_costs(ALPHA, BETA)
    assert fit_quadratic(SWEPT, [costs])[2].low is None
    _, linear, squared = fit_quadratic(SWEPT[:3], [costs[:3]] * 3)
    assert linear.low is None and squared.value == pytest.approx(BETA, rel=1e-6)
    assert fit_quadratic(SWEPT[:2], [costs[:2]] * 3) is None
    assert fit_quadratic(SWEPT, [costs * (SWEPT > 128)]) is None


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


GROWING = 2e-7
"""The slope of full attention, in seconds per position."""


@pytest.mark.parametrize("slope", [0.0, GROWING])
def test_the_slope_is_found_and_its_interval_excludes_0_where_the_time_grows(slope):
    exact = 3e-4 + slope * SWEPT
    assert fit_slope(SWEPT, [exact] * 3).value == pytest.approx(slope, rel=1e-6, abs=1e-15)
    found = [
        fit_slope(SWEPT, noisy_rounds(exact, 0.05, random.Random(seed))) for seed in range(200)
    ]
    assert sum(item.low <= slope <= item.high for item in found) >= 0.95 * 200
    assert not slope or all(item.low > 0 for item in found)


def test_one_round_has_no_interval_and_two_contexts_no_slope():
    costs = 3e-4 + GROWING * SWEPT
    assert fit_slope(SWEPT, [costs]).low is None
    assert fit_slope(SWEPT[:2], [costs[:2]] * 3) is None
    assert fit_slope(SWEPT, [costs * (SWEPT > 128)] * 3) is None
