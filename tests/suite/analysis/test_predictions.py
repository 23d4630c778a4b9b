"""Predictions: known coefficients are found, and intervals cover the published costs."""

from __future__ import annotations

import random

import numpy as np
import pytest

from suite.analysis.comparisons import compare
from suite.analysis.predictions import FARTHEST, cost_series, fit_cost, fit_series
from suite.api import Mode
from suite.api.files import RESULTS
from suite.records.published import read_published

LENGTHS = [128, 256, 512, 1_024, 2_048]
SHAPES = {"linear": (1e-3, 4e-6, 0.0), "quadratic": (1e-3, 2e-6, 1e-9), "constant": (1e-3, 0, 0)}


def cost(shape, length):
    fixed, linear, squared = SHAPES[shape]
    return fixed + linear * length + squared * length**2


@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_cover_the_truth_at_up_to_four_times_the_longest_length(shape):
    generator = random.Random(7)
    hits, errors = 0, []
    for _ in range(40):
        costs = [cost(shape, n) * generator.gauss(1, 0.03) for n in LENGTHS]
        fit = fit_cost(LENGTHS, costs)
        for length in (1_500, 4_096, 8_192):
            prediction = fit.predict(length)
            true = cost(shape, length)
            hits += prediction.low <= true <= prediction.high
            errors.append(abs(prediction.value / true - 1))
    assert hits >= 0.9 * len(errors)
    assert np.median(errors) < 0.1


def test_nothing_is_predicted_beyond_four_times_the_longest_or_below_the_shortest_length():
    fit = fit_cost(LENGTHS, [cost("quadratic", n) for n in LENGTHS])
    assert fit.predict(FARTHEST * 2_048) and fit.predict(128)
    assert fit.predict(FARTHEST * 2_048 + 1) is None and fit.predict(127) is None


def test_a_cost_that_breaks_the_form_is_not_predicted():
    costs = [cost("linear", n) for n in LENGTHS]
    assert fit_cost(LENGTHS, costs).follows_form
    broken = fit_cost(LENGTHS, [*costs[:3], 4 * costs[3], 4 * costs[4]])
    assert not broken.follows_form and broken.predict(512) is None
    falling = fit_cost(LENGTHS, costs[::-1])
    assert not falling.follows_form and falling.longest_within(1.0) is None


def test_no_coefficient_is_negative_and_too_few_costs_have_no_fit():
    fit = fit_cost(LENGTHS, [1e-6 * n for n in LENGTHS])
    assert min(fit.coefficients) >= 0 and fit.coefficients[1] == pytest.approx(1e-6, rel=1e-3)
    assert fit_cost([128], [1.0]) is None
    assert fit_cost(LENGTHS, [0.0, *LENGTHS[1:]]) is None


def test_the_variance_between_sessions_widens_the_interval():
    costs = [cost("linear", n) for n in LENGTHS]
    narrow, wide = (fit_cost(LENGTHS, costs, between).predict(4_096) for between in (0.0, 0.3))
    assert wide.high / wide.low > 1.5 * narrow.high / narrow.low


def test_the_longest_length_within_a_budget():
    fit = fit_cost(LENGTHS, [cost("linear", n) for n in LENGTHS])
    assert fit.longest_within(cost("linear", 3_000)) == pytest.approx(3_000, rel=0.05)
    assert fit.longest_within(cost("linear", 10**6)) == FARTHEST * 2_048
    assert fit.longest_within(1e-4) is None


def predict_published():
    """Return (kind, multiple of the fitted range, relative error, whether covered) of each cost.

    The two longest lengths of each published series are left out and predicted.
    """
    records = [
        stored
        for stored in read_published(RESULTS)
        if stored.record.cell.mode in (Mode.PROBE, Mode.DECODE)
    ]
    found = []
    for comparison in compare(records):
        for _, measure, figures in cost_series(comparison):
            known, left_out = [*figures][:-2], [*figures][-2:]
            fit = fit_series({length: figures[length] for length in known})
            for length in left_out if fit else ():
                if prediction := fit.predict(length):
                    true = figures[length].value
                    covered = prediction.low <= true <= prediction.high
                    kind = measure.partition(".")[2]
                    error = abs(prediction.value / true - 1)
                    found.append((kind, length // max(known), error, covered))
    return found


@pytest.fixture(scope="module")
def published():
    return predict_published()


@pytest.mark.parametrize("kind", ["step_seconds", "peak_memory_bytes"])
def test_intervals_cover_what_was_published(published, kind):
    of_kind = [item for item in published if item[0] == kind]
    assert len(of_kind) >= 100
    assert 0.85 <= np.mean([covered for *_, covered in of_kind]) <= 0.95
    for multiple, largest in ((2, 0.1), (4, 0.2)):
        errors = [error for _, times, error, _ in of_kind if times == multiple]
        assert len(errors) >= 50
        assert np.median(errors) <= largest


if __name__ == "__main__":  # prints the table of the coverage
    import pandas

    table = pandas.DataFrame(
        predict_published(), columns=["cost", "times", "error", "covered"]
    ).groupby(["cost", "times"])
    print(table.agg(n=("error", "size"), covered=("covered", "mean"), error=("error", "median")))
