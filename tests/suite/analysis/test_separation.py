"""Separation from the leader: false separations, power and critical values, by simulation.

Standard deviations are in units of a typical entry's spread over seeds. Each simulation draws
`TRIALS` boards of entries with three seeds and ranks all of them at once.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from suite.analysis.separation import critical_values, separate

NUM_ENTRIES = (2, 5, 9, 16)
NUM_SEEDS = 3
NUM_PARTS = 20
TRIALS = 6_000
LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / TRIALS)
"""5%, and three standard errors of the simulation."""


def spreads(name, num_entries):
    """Return the standard deviation of each entry."""
    found = np.ones(num_entries)
    match name:
        case "rising to 5":
            found = np.geomspace(1, 5, num_entries)
        case "one at 5":
            found[-1] = 5
        case "all but one at 5":
            found[1:] = 5
        case "half at 5":
            found[: num_entries // 2] = 5
        case "two at 5":
            found[-2:] = 5
    return found


ALL_SPREADS = ("equal", "rising to 5", "one at 5", "all but one at 5", "half at 5", "two at 5")


def draw(random, num_entries, spread="equal", means=0.0, seed_effect=0.0):
    noise = random.normal(size=(TRIALS, num_entries, NUM_SEEDS))
    effects = seed_effect * random.normal(size=(TRIALS, 1, NUM_SEEDS))
    means = np.broadcast_to(means, num_entries)
    return means[:, None] + spreads(spread, num_entries)[:, None] * noise + effects


def fail(random, scores, share, drop):
    """Let the last entry fail to learn in a share of its seeds."""
    scores[:, -1] -= drop * (random.random((TRIALS, NUM_SEEDS)) < share)
    return scores


def false_separations(scores, means, parts=None):
    """Return the share of boards that separate any entry from one that is not better.

    An entry of a lower rank is separated from the leader of each higher rank.
    """
    found = separate(scores, parts)
    leads = found.leader == np.arange(scores.shape[1])
    wrong = np.zeros(len(scores), bool)
    means = np.broadcast_to(means, scores.shape[1])
    for entry, mean in enumerate(means):
        for other in np.flatnonzero(means <= mean):
            wrong |= leads[:, other] & (found.rank[:, other] < found.rank[:, entry])
    return wrong.mean()


@pytest.mark.parametrize("num_entries", NUM_ENTRIES)
@pytest.mark.parametrize("seed_effect", [0.0, 3.0])
@pytest.mark.parametrize("spread", ALL_SPREADS)
def test_equal_entries_are_hardly_ever_separated(spread, seed_effect, num_entries):
    random = np.random.default_rng(num_entries)
    scores = draw(random, num_entries, spread, seed_effect=seed_effect)
    assert false_separations(scores, 0.0) <= LIMIT


def test_pooled_variances_alone_would_separate_equal_entries():
    """The reason for an entry's own variance: Tukey's test on the board that varies most."""
    scores = draw(np.random.default_rng(0), 16, "two at 5")
    means, pooled = scores.mean(axis=-1), scores.var(axis=-1, ddof=1).mean(axis=-1)
    freedom = 16 * (NUM_SEEDS - 1)
    tukey = critical_values(16, 16, 0.05, np.array(freedom)) * np.sqrt(2 * pooled / NUM_SEEDS)
    assert np.mean(np.ptp(means, axis=-1) > tukey) > 0.2


@pytest.mark.parametrize("num_entries", NUM_ENTRIES[1:])
@pytest.mark.parametrize(("share", "drop"), [(0.1, 20), (0.3, 5), (0.3, 30), (0.5, 10)])
def test_an_entry_that_fails_to_learn_separates_no_others(share, drop, num_entries):
    random = np.random.default_rng(num_entries)
    scores = fail(random, draw(random, num_entries), share, drop)
    means = np.zeros(num_entries)
    means[-1] -= share * drop
    assert false_separations(scores, means) <= LIMIT


@pytest.mark.parametrize("num_entries", (3, *NUM_ENTRIES))
@pytest.mark.parametrize(("share", "drop"), [(0.2, 3), (0.3, 3), (0.1, 5), (0.3, 5)])
def test_an_entry_that_equals_the_others_in_spite_of_failures(share, drop, num_entries):
    random = np.random.default_rng(num_entries)
    means = np.zeros(num_entries)
    means[-1] = share * drop
    scores = fail(random, draw(random, num_entries, means=means), share, drop)
    assert false_separations(scores, 0.0) <= LIMIT


@pytest.mark.parametrize("num_entries", NUM_ENTRIES[1:])
@pytest.mark.parametrize("apart", [2.0, 5.0, 12.0, 50.0])
@pytest.mark.parametrize("num_groups", [2, 3, 4])
@pytest.mark.parametrize("spread", ["equal", "one at 5"])
def test_separations_at_all_ranks_together_are_hardly_ever_false(
    spread, num_groups, apart, num_entries
):
    random = np.random.default_rng(num_entries)
    means = apart * (np.arange(num_entries) % num_groups) / (num_groups - 1)
    scores = draw(random, num_entries, spread, means)
    assert false_separations(scores, means) <= LIMIT


# How much the seed, the test examples of all entries, those of one entry, and all together move a
# score.
PART_SPREADS = {
    "the seed alone": (1.0, 0.0, 0.0, 0.001),
    "the examples alone": (0.001, 1.0, 0.0, 0.001),
    "each entry finds other examples hard": (0.001, 1.0, 1.0, 0.01),
    "each seed errs elsewhere": (0.0, 0.0, 0.0, 1.0),
    "all alike": (1.0, 1.0, 1.0, 1.0),
}


@pytest.mark.parametrize("num_entries", [2, 5])
@pytest.mark.parametrize("spread", PART_SPREADS.values(), ids=PART_SPREADS)
def test_other_test_examples_would_hardly_ever_tell_otherwise(spread, num_entries):
    random = np.random.default_rng(num_entries)
    of_seeds, of_examples, of_entries, of_all = spread
    parts = (
        of_seeds * random.normal(size=(TRIALS, num_entries, NUM_SEEDS, 1))
        + of_examples * random.normal(size=(TRIALS, 1, 1, NUM_PARTS))
        + of_entries * random.normal(size=(TRIALS, num_entries, 1, NUM_PARTS))
        + of_all * random.normal(size=(TRIALS, num_entries, NUM_SEEDS, NUM_PARTS))
    )
    assert false_separations(parts.mean(axis=-1), 0.0, parts) <= LIMIT
    if of_entries == 1 > of_seeds:  # without the parts, most boards would have a winner
        assert false_separations(parts.mean(axis=-1), 0.0) > 0.3


def power(scores, others=slice(1, None)):
    """Return how many of the others are separated from entry 0."""
    rank = separate(scores).rank
    return np.mean((rank[:, others] > 1) & (rank[:, :1] == 1))


# The power by number of entries, without and with effects of the seeds of three standard
# deviations. docs/how-we-compare.md reports them.
POWER = {
    0.0: {2: 0.624, 5: 0.639, 9: 0.635, 16: 0.598},
    3.0: {2: 0.400, 5: 0.542, 9: 0.594, 16: 0.580},
}


@pytest.mark.parametrize("num_entries", NUM_ENTRIES)
@pytest.mark.parametrize("seed_effect", POWER)
def test_power_against_a_leader_four_standard_deviations_ahead(seed_effect, num_entries):
    random = np.random.default_rng(num_entries)
    ahead = np.where(np.arange(num_entries) == 0, 4.0, 0.0)
    found = power(draw(random, num_entries, means=ahead, seed_effect=seed_effect))
    error = math.sqrt(0.25 / TRIALS)
    assert found == pytest.approx(POWER[seed_effect][num_entries], abs=3 * error + 0.005)


@pytest.mark.parametrize("num_entries", NUM_ENTRIES[1:])
def test_an_entry_that_fails_to_learn_does_not_hide_the_others(num_entries):
    random = np.random.default_rng(num_entries)
    ahead = np.where(np.arange(num_entries) == 0, 6.0, 0.0)
    scores = fail(random, draw(random, num_entries, means=ahead), 0.3, 30)
    assert power(scores, slice(1, -1)) > 0.9


def test_an_entry_without_parts_or_seeds_counts_with_what_it_has():
    random = np.random.default_rng(0)
    parts = random.normal(size=(3, 4, NUM_PARTS))
    scores = parts.mean(axis=-1)
    without = parts.copy()
    without[0] = np.nan
    assert (separate(scores, without).margin[1:] >= 0).all()
    scores[1, 3] = np.nan
    assert not np.isnan(separate(scores, without).margin).any()


@pytest.mark.parametrize("num_entries", [2, 5, 16])
@pytest.mark.parametrize("freedom", [2, 4, 9, 32])
def test_critical_values_of_all_pairs_are_tukey_s(num_entries, freedom):
    expected = scipy.stats.studentized_range.ppf(0.95, num_entries, freedom) / math.sqrt(2)
    found = critical_values(num_entries, num_entries, 0.05, np.array(freedom))
    assert found == pytest.approx(expected, rel=2e-3)


def test_critical_values_of_one_entry_are_one_sided_dunnett_s():
    """The table 1a of Dunnett (1955) for 1, 4 and 9 treatments and 10 degrees of freedom."""
    found = [critical_values(1, count + 1, 0.05, np.array(10.0)) for count in (1, 4, 9)]
    assert found == pytest.approx([1.81, 2.47, 2.81], abs=0.01)
    assert critical_values(2, 5, 0.05, np.array(10.0)) > found[1]
