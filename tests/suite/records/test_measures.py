"""How figures are written: costs with significant digits, the scores of a table with decimals."""

from __future__ import annotations

import pytest

from suite.records.measures import GENERATION_COLUMNS, score_decimals, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.0, "7.00"),
        (12.3, "12.3"),
        (0.0412, "0.0412"),
        (9.996, "10.0"),
        (123.4, "123"),
        (999.6, "1,000"),
        (-12_345.0, "-12,345"),
        (0.0, "0"),
    ],
)
def test_a_cost_has_three_significant_digits(value, text):
    assert significant(value) == text


def test_a_difference_keeps_its_last_zero_and_a_measure_its_unit():
    assert significant(0.04, 2) == "0.040"
    assert GENERATION_COLUMNS["generation.step_seconds"].text(0.007) == "7.00"


@pytest.mark.parametrize(
    ("scores", "decimals"), [((), 3), ((0.5, 9.99), 3), ((0.5, 24.7), 1), ((-1_200.0,), 0)]
)
def test_the_scores_of_a_table_share_their_decimals(scores, decimals):
    assert score_decimals(scores) == decimals
