"""The slope of the time of a generated token in the context."""

from __future__ import annotations

import random

import pytest

from suite.analysis.growth import fit_slope

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
