"""The search for a learning rate: a known optimum is found inside, at a bounded cost."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from suite.search.learning_rate_search import (
    MAX_COST,
    FullTrials,
    SuccessiveHalving,
    Trial,
)
from tests.builders.learning_rate_searches import SETTINGS, STRATEGY, peak_at, search


def is_inside(strategy, scores, rate):
    """Whether the long trials of the next rates on both sides are complete, or diverged."""
    long = {}
    for trial, score in scores.items():
        if trial.long:
            long.setdefault(trial.learning_rate, []).append(score)
    complete = [
        tried
        for tried, values in long.items()
        if None in values or len(values) == len(strategy.seeds)
    ]
    known = sorted({*strategy.learning_rates, *(trial.learning_rate for trial in scores)})
    place = known.index(rate)
    return 0 < place < len(known) - 1 and {known[place - 1], known[place + 1]} <= set(complete)


def test_the_cost_is_stated_before_the_search_and_is_met():
    assert (STRATEGY.short_steps, STRATEGY.long_steps) == (75, 150)
    stated = STRATEGY.cost(STRATEGY.first_plan())
    assert stated == pytest.approx(1.9)
    scores, waves = search(peak_at(3e-3))
    assert STRATEGY.cost(scores) == stated and len(waves) == 3
    assert STRATEGY.choose(scores).learning_rate == 3e-3
    stages = [{STRATEGY.stage_of(trial) for trial in wave} for wave in waves]
    assert stages == [{1}, {2}, {3}]


@pytest.mark.parametrize("rate", [1e-5, 3e-5, *SETTINGS.learning_rates, 3e-1, 1.0])
def test_a_known_optimum_is_found_at_an_edge_and_beyond_the_list_too(rate):
    scores, _ = search(peak_at(rate))
    assert STRATEGY.choose(scores).learning_rate == rate
    assert is_inside(STRATEGY, scores, rate)
    assert STRATEGY.cost(scores) <= MAX_COST


def test_lower_is_better_where_the_metric_says_so():
    strategy = replace(STRATEGY, higher_is_better=False)
    scores, _ = search(lambda trial: -peak_at(3e-2)(trial), strategy)
    assert strategy.choose(scores).learning_rate == 3e-2


def test_a_rate_that_diverges_is_the_worst_and_bounds_the_range():
    """The score would grow without end, but rates from 0.01 on diverge."""
    scores, _ = search(peak_at(1e3, diverges_from=1e-2))
    assert STRATEGY.choose(scores).learning_rate == 3e-3
    assert max(trial.learning_rate for trial in scores if trial.long) == 1e-2
    assert Trial(1e-2, 1, long=True) not in scores  # one seed that diverged is enough


def test_rates_that_all_diverge_extend_the_list_downwards():
    scores, _ = search(peak_at(1e-5, diverges_from=1e-4))
    assert STRATEGY.choose(scores).learning_rate == 1e-5
    scores, _ = search(lambda trial: None)
    assert STRATEGY.choose(scores).learning_rate is None
    assert "no learning rate survived" in STRATEGY.choose(scores).reason
    assert STRATEGY.cost(scores) <= MAX_COST


def test_a_rate_that_fails_on_the_second_seed_is_not_chosen():
    """Bimodal: 0.01 is the best rate on the first seed, and learns nothing on the second."""

    def score(trial):
        if trial.learning_rate == 1e-2:
            return 0.95 if trial.seed == 0 else 0.1
        return peak_at(1e-2)(trial)

    scores, _ = search(score)
    chosen = STRATEGY.choose(scores).learning_rate
    assert chosen in (3e-3, 3e-2) and is_inside(STRATEGY, scores, chosen)


def test_a_rate_that_diverges_on_the_second_seed_is_not_chosen():
    def score(trial):
        diverges = trial.seed == 1 and trial.learning_rate >= 1e-2
        return None if diverges else peak_at(1e-2)(trial)

    scores, _ = search(score)
    assert STRATEGY.choose(scores).learning_rate == 3e-3


@pytest.mark.parametrize("long_peak", [1e-4, 3e-4, 1e-3, 3e-3, 3e-2])
def test_long_trials_may_move_the_best_rate(long_peak):
    """Short trials prefer 0.003 with every seed; long ones another rate."""
    scores, _ = search(lambda trial: peak_at(long_peak if trial.long else 3e-3)(trial))
    assert STRATEGY.choose(scores).learning_rate == long_peak
    assert STRATEGY.cost(scores) <= MAX_COST


def test_a_search_that_ends_at_an_edge_chooses_no_rate_until_it_may_cost_more():
    def score(trial):
        return peak_at(1.0 if trial.long else 1e-3)(trial)

    scores, _ = search(score)
    choice = STRATEGY.choose(scores)
    assert choice.learning_rate is None and "--max-cost" in choice.reason
    assert STRATEGY.cost(scores) <= MAX_COST
    more = replace(STRATEGY, max_cost=4.0)
    extended, _ = search(score, more)
    assert more.choose(extended).learning_rate == 1.0
    assert set(scores) <= set(extended)  # no trial was in vain


def test_equal_scores_choose_no_rate():
    """Nothing was learned, so that validation prefers no rate."""
    scores, _ = search(lambda trial: 0.0)
    assert STRATEGY.choose(scores).learning_rate is None
    assert "scored the same" in STRATEGY.choose(scores).reason


def test_where_short_trials_learn_nothing_the_recipe_s_rate_is_the_start():
    scores, _ = search(lambda trial: peak_at(3e-3)(trial) if trial.long else 0.0)
    assert STRATEGY.choose(scores).learning_rate == 3e-3
    assert {trial.learning_rate for trial in scores if trial.long} == {3e-4, 1e-3, 3e-3, 1e-2}


@pytest.mark.parametrize("seeds", [(0, 1), (0, 1, 2), (4, 2, 0, 1)])
@pytest.mark.parametrize("steps", [20, 64, 97, 750, 2_000])
@pytest.mark.parametrize("rates", [SETTINGS.learning_rates, (1e-3, 2e-3, 4e-3)])
def test_no_search_costs_more_than_allowed(rates, steps, seeds):
    """Random scores, a third of which have diverged at the higher rates."""
    chance = random.Random(steps + len(seeds))
    strategy = SuccessiveHalving(rates, seeds, steps, default_rate=1e-3)

    def score(trial):
        return None if chance.random() < 0.3 * (trial.learning_rate > 1e-3) else chance.random()

    chosen = 0
    for _ in range(100):
        scores, _ = search(score, strategy)
        assert strategy.cost(scores) <= MAX_COST
        if rate := strategy.choose(scores).learning_rate:
            chosen += 1
            assert is_inside(strategy, scores, rate)
    assert chosen > 50


def long_scores(**by_rate):
    return {
        Trial(float(rate), seed, long=True): value
        for rate, values in by_rate.items()
        for seed, value in enumerate(values)
    }


@pytest.mark.parametrize(
    ("scores", "width"),
    [
        # The standard error is 0.02 / sqrt(2) / sqrt(2) = 0.01; the mean falls by 0.04 per decade.
        ({"1e-3": (0.75, 0.77), "1e-2": (0.79, 0.81), "1e-1": (0.75, 0.77)}, 0.5),
        # A flat optimum is as wide as the rates that were tried.
        ({"1e-3": (0.79, 0.81), "1e-2": (0.795, 0.815), "1e-1": (0.79, 0.81)}, 2.0),
        # Beyond a rate that diverged nothing is good.
        ({"1e-3": (0.75, 0.77), "1e-2": (0.79, 0.81), "1e-1": (None,)}, 0.25),
        # One rate that fails on one seed does not widen the range of the others.
        ({"1e-3": (0.75, 0.77), "1e-2": (0.79, 0.81), "1e-1": (0.8, 0.0)}, 0.25 + 0.025),
        ({"1e-3": (0.7, 0.7), "1e-2": (0.8, 0.8), "1e-1": (0.7, 0.7)}, 0.0),
        ({"1e-3": (None,), "1e-2": (None, 0.1)}, None),
    ],
)
def test_the_good_range_is_within_one_standard_error_of_the_best(scores, width):
    found = STRATEGY.good_range_decades(long_scores(**scores))
    assert found == (None if width is None else pytest.approx(width, abs=1e-9))
    lower = {trial: None if one is None else -one for trial, one in long_scores(**scores).items()}
    falling = replace(STRATEGY, higher_is_better=False)
    assert falling.good_range_decades(lower) == found


FULL = FullTrials((1e-3, 3e-3, 1e-2, 3e-2), (0, 1), 366, 2e-3)


def test_full_trials_try_all_rates_on_one_seed_and_repeat_the_best_two():
    scores, waves = search(peak_at(4e-3), FULL)
    assert [len(wave) for wave in waves] == [4, 2]
    assert {FULL.steps_of(trial) for trial in scores} == {366}
    assert {trial.learning_rate for trial in waves[1]} == {3e-3, 1e-2}
    assert {trial.seed for trial in waves[0]} == {0} and {trial.seed for trial in waves[1]} == {1}
    assert FULL.choose(scores).learning_rate == 3e-3
    assert FULL.cost(scores) == FULL.cost(FULL.first_plan()) == 6
    assert [{FULL.stage_of(trial) for trial in wave} for wave in waves] == [{1}, {2}]


@pytest.mark.parametrize("rate", [1e-4, 3e-4, 1e-3, 3e-2, 1e-1])
def test_full_trials_go_beyond_an_edge(rate):
    scores, _ = search(peak_at(rate), FULL)
    assert FULL.choose(scores).learning_rate == rate
    tried = sorted({trial.learning_rate for trial in scores})
    assert tried[0] < rate < tried[-1]


def test_the_mean_over_the_seeds_decides_among_full_trials():
    def score(trial):
        lucky = trial.learning_rate == 3e-3 and trial.seed == 0
        return peak_at(1e-2)(trial) + (0.2 if lucky else 0.0) - (0.3 * trial.seed * (not lucky))

    scores, _ = search(score, FULL)
    means = {
        rate: (scores[Trial(rate, 0, long=True)] + scores[Trial(rate, 1, long=True)]) / 2
        for rate in (3e-3, 1e-2)
    }
    assert FULL.choose(scores).learning_rate == max(means, key=means.get)


def test_full_trials_stop_where_the_cost_ends_and_say_so():
    scores, _ = search(lambda trial: trial.learning_rate, FULL)
    assert FULL.cost(scores) <= FULL.most_cost == 10
    assert FULL.choose(scores).learning_rate is None
    assert "lies at the edge" in FULL.choose(scores).reason


def test_one_seed_is_enough_for_full_trials():
    single = replace(FULL, seeds=(0,))
    scores, waves = search(peak_at(1e-2), single)
    assert [len(wave) for wave in waves] == [4]
    assert single.choose(scores).learning_rate == 1e-2
    assert single.good_range_decades(scores) is None
    assert FULL.good_range_decades(search(peak_at(1e-2), FULL)[0]) is not None


def test_a_finalist_that_diverges_on_the_second_seed_has_no_deviation():
    def score(trial):
        return None if (trial.learning_rate, trial.seed) == (3e-3, 1) else peak_at(4e-3)(trial)

    scores, _ = search(score, FULL)
    assert FULL.choose(scores).learning_rate == 1e-2
    assert FULL.good_range_decades(scores) is not None


@pytest.mark.parametrize("strategy", [STRATEGY, FULL])
def test_no_rate_is_chosen_if_all_diverge_on_the_second_seed(strategy):
    scores, _ = search(lambda trial: None if trial.seed else peak_at(3e-3)(trial), strategy)
    choice = strategy.choose(scores)
    assert (choice.learning_rate, choice.reason) == (None, "no learning rate survived")
