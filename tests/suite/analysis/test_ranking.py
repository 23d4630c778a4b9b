"""Differences, ranks, profiles: calibrated by simulation, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from suite.analysis.profile import interquartile_mean, performance_profile
from suite.analysis.ranking import Scores, difference, rank

NUM_PARTS = 20
TRIALS = 600
# How much seed, test examples, and both together move a figure.
SPREADS = {
    "the examples alone": (0.0, 1.0, 0.0),
    "each seed errs elsewhere": (0.0, 0.0, 1.0),
    "the seed alone": (1.0, 0.0, 0.001),
    "all alike": (1.0, 1.0, 1.0),
    "mostly noise": (0.1, 0.1, 1.0),
}


def draw(random, num_seeds, spread, mean=0.0, examples=None):
    """Draw one line's scores; `examples` are the effects of the parts, the same for all lines."""
    of_seeds, of_examples, of_both = spread
    if examples is None:
        examples = random.normal(size=NUM_PARTS)
    table = (
        mean
        + of_seeds * random.normal(size=(num_seeds, 1))
        + of_examples * examples
        + of_both * random.normal(size=(num_seeds, NUM_PARTS))
    )
    return Scores(
        {seed: float(row.mean()) for seed, row in enumerate(table)},
        {seed: row.tolist() for seed, row in enumerate(table)},
    )


@pytest.mark.parametrize("num_seeds", [3, 5])
@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_intervals_cover_the_truth(spread, num_seeds):
    random = np.random.default_rng(num_seeds)
    found = [draw(random, num_seeds, spread).estimate() for _ in range(TRIALS)]
    covered = np.mean([estimate.low <= 0 <= estimate.high for estimate in found])
    # 93 to 97, widened by the sampling error of 600 trials.
    assert 0.93 - 0.02 <= covered <= 0.97 + 0.02


def test_a_plain_two_level_bootstrap_would_not_cover():
    """The reason for Student's t: three seeds drawn from three hardly vary."""
    random = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        scores = draw(random, 3, SPREADS["the seed alone"])
        table = np.array([scores.parts[seed] for seed in range(3)])
        seeds = random.integers(0, 3, (400, 3, 1))
        parts = random.integers(0, NUM_PARTS, (400, 1, NUM_PARTS))
        low, high = np.percentile(table[seeds, parts].mean(axis=(1, 2)), [2.5, 97.5])
        covered.append(low <= 0 <= high)
    assert np.mean(covered) < 0.85


def lines(random, num_lines, num_seeds, spread, means=None):
    examples = random.normal(size=NUM_PARTS)
    means = means or [0.0] * num_lines
    return {
        f"line {number}": draw(random, num_seeds, spread, mean, examples)
        for number, mean in enumerate(means)
    }


@pytest.mark.parametrize("num_lines", [2, 4])
@pytest.mark.parametrize("spread", [SPREADS["all alike"], SPREADS["mostly noise"]])
def test_equals_give_no_winner(spread, num_lines):
    random = np.random.default_rng(num_lines)
    winners = 0
    for _ in range(TRIALS):
        ranked = rank(lines(random, num_lines, 3, spread))
        winners += [item.rank for item in ranked].count(1) == 1
    assert winners / TRIALS <= 0.05 + 0.02


def test_the_best_is_hardly_ever_denied_the_first_rank():
    random = np.random.default_rng(1)
    denied = 0
    for _ in range(TRIALS):
        ranked = rank(lines(random, 3, 3, SPREADS["mostly noise"], [0.1, 0.0, 0.0]))
        denied += next(item.rank for item in ranked if item.name == "line 0") != 1
    assert denied / TRIALS <= 0.05 + 0.02


def test_a_plain_difference_is_found_and_the_order_is_told():
    random = np.random.default_rng(2)
    ranked = rank(lines(random, 3, 3, (0.1, 1.0, 0.1), [0.0, 5.0, 10.0]))
    assert [(item.name, item.rank) for item in ranked] == [
        ("line 2", 1),
        ("line 1", 2),
        ("line 0", 3),
    ]
    ranked = rank(lines(random, 2, 3, (0.1, 1.0, 0.1), [5.0, 0.0]), higher_is_better=False)
    assert ranked[0].name == "line 1"


def test_pairs_on_the_same_examples_see_what_single_intervals_do_not():
    """Both are scored on the same examples, so what those do to both drops out."""
    random = np.random.default_rng(3)
    examples = 10 * random.normal(size=NUM_PARTS)
    one, other = (draw(random, 5, (0.0, 1.0, 0.1), mean, examples) for mean in (0.0, 1.0))
    gap = difference(one, other)
    assert gap.high < 0 and gap.p_value < 0.05 and gap.n == 5
    assert one.estimate().high > other.estimate().low


def test_one_seed_is_shown_and_never_ranked():
    ranked = rank(
        {"lucky": Scores({0: 0.99}), "a": Scores({0: 0.5, 1: 0.6}), "b": Scores({0: 0.5, 1: 0.4})}
    )
    assert [(item.name, item.rank) for item in ranked][-1] == ("lucky", None)
    assert ranked[0].rank == 1 and ranked[-1].estimate.low is None


def test_lines_without_a_common_seed_are_not_ranked_together():
    ranked = rank({"a": Scores({0: 0.9, 1: 0.91}), "b": Scores({2: 0.5, 3: 0.51})})
    assert [(item.name, item.rank) for item in ranked] == [("a", 1), ("b", None)]


def test_the_p_value_agrees_with_the_interval():
    random = np.random.default_rng(4)
    for _ in range(50):
        examples = random.normal(size=NUM_PARTS)
        gap = difference(
            draw(random, 3, (0.3, 0.3, 0.3), 0.0, examples),
            draw(random, 3, (0.3, 0.3, 0.3), 1.0, examples),
        )
        assert (gap.p_value < 0.05) == (gap.high < 0 or gap.low > 0)


def test_without_parts_the_p_value_is_that_of_student_s_test():
    one, other = {0: 0.52, 1: 0.61, 2: 0.70}, {0: 0.50, 1: 0.55, 2: 0.62}
    gap = difference(Scores(one), Scores(other))
    expected = scipy.stats.ttest_rel(list(one.values()), list(other.values())).pvalue
    assert gap.p_value == pytest.approx(expected)
    assert difference(Scores(one), Scores(one)).p_value == 1
    apart = {seed: value - 0.25 for seed, value in one.items()}
    assert difference(Scores(one), Scores(apart)).p_value == pytest.approx(0, abs=1e-9)


def test_parts_that_are_missing_or_unequal_leave_the_seeds():
    seeds = {0: 0.5, 1: 0.6, 2: 0.7}
    plain = Scores(seeds).estimate()
    assert Scores(seeds, {0: [0.5], 1: [0.6, 0.6], 2: []}).estimate() == plain
    with_none = Scores(seeds, {seed: [None, 0.4, 0.8] for seed in seeds}).estimate()
    assert with_none.low < plain.low


def test_interquartile_mean():
    assert interquartile_mean([1, 2, 3, 100]) == pytest.approx(2.5)
    assert interquartile_mean([0.0, 1.0, 2.0, 3.0, 4.0, 100.0]) == pytest.approx(7.5 / 3)
    assert interquartile_mean([5.0]) == 5.0


def test_performance_profile():
    assert performance_profile({"a": [1.0, 0.9], "b": [0.5, 1.0]}, [0.9, 1.0]) == {
        "a": [1.0, 0.5],
        "b": [0.5, 0.5],
    }
