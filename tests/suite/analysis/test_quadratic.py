"""The cost of full attention: αn + βn² above a fixed cost."""

from __future__ import annotations

import random

import pytest

from suite.analysis.comparisons import compare
from suite.analysis.growth import fit_quadratic, growths
from suite.matrix.registry import load_registry
from tests.suite.analysis.test_sessions import cost

LENGTHS = (128, 512, 2_048, 8_192, 16_384)
ALPHA, BETA = 2e-6, 1e-9
"""The quadratic part is the larger from 2,000 positions on."""


def exact(alpha, beta, fixed=0.0, lengths=LENGTHS):
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
    three = exact(ALPHA, BETA, lengths=LENGTHS[:3])
    assert fit_quadratic([three] * 3).linear.low is None
    assert fit_quadratic([three] * 3).squared.value == pytest.approx(BETA, rel=1e-6)
    assert fit_quadratic([exact(ALPHA, BETA, lengths=LENGTHS[:2])] * 3) is None
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
