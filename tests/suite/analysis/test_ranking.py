"""Differences, ranks, profiles: calibrated by simulation, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from suite.analysis.estimates import pseudo_values
from suite.analysis.ranking import Scores, difference, only_certain, rank
from suite.analysis.tradeoffs import interquartile_mean

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
    found = [draw(random, num_seeds, spread).estimate() for _ in range(1_500)]
    covered = np.mean([estimate.low <= 0 <= estimate.high for estimate in found])
    # 93 to 97, widened by two standard errors of 1,500 trials.
    assert 0.93 - 0.011 <= covered <= 0.97 + 0.011


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
        ranked = rank(lines(random, num_lines, 3, spread)).entries
        winners += [item.rank for item in ranked].count(1) == 1
    assert winners / TRIALS <= 0.05 + 0.02


def test_the_best_is_hardly_ever_denied_the_first_rank():
    random = np.random.default_rng(1)
    denied = 0
    for _ in range(TRIALS):
        ranked = rank(lines(random, 3, 3, SPREADS["mostly noise"], [0.1, 0.0, 0.0])).entries
        denied += next(item.rank for item in ranked if item.name == "line 0") != 1
    assert denied / TRIALS <= 0.05 + 0.02


def test_a_plain_difference_is_found_and_the_order_is_told():
    random = np.random.default_rng(2)
    ranked = rank(lines(random, 3, 3, (0.1, 1.0, 0.1), [0.0, 5.0, 10.0])).entries
    assert [(item.name, item.rank) for item in ranked] == [
        ("line 2", 1),
        ("line 1", 2),
        ("line 0", 3),
    ]
    ranking = rank(lines(random, 2, 3, (0.1, 1.0, 0.1), [5.0, 0.0]), higher_is_better=False)
    assert ranking.entries[0].name == "line 1"


def test_pairs_on_the_same_examples_see_what_single_intervals_do_not():
    """Both are scored on the same examples, so what those do to both drops out."""
    random = np.random.default_rng(3)
    examples = 10 * random.normal(size=NUM_PARTS)
    one, other = (draw(random, 5, (0.0, 1.0, 0.1), mean, examples) for mean in (0.0, 1.0))
    gap = difference(one, other)
    assert gap.high < 0 and gap.n == 5
    assert one.estimate().high > other.estimate().low
    assert [item.rank for item in rank({"one": one, "other": other}).entries] == [1, 2]


def test_two_seeds_are_shown_without_interval_and_never_ranked():
    ranking = rank(
        {
            "lucky": Scores({0: 0.99, 1: 0.98}),
            "a": Scores({0: 0.5, 1: 0.6, 2: 0.5}),
            "b": Scores({0: 0.5, 1: 0.4, 2: 0.5}),
        }
    )
    assert [(item.name, item.rank) for item in ranking.entries][-1] == ("lucky", None)
    assert ranking.entries[0].rank == 1 and ranking.entries[-1].estimate.low is None
    assert difference(Scores({0: 1.0, 1: 1.0}), Scores({0: 0.0, 1: 0.0})).low is None


def test_lines_without_a_common_seed_are_not_ranked_together():
    ranking = rank({"a": Scores({0: 0.9, 1: 0.91, 2: 0.9}), "b": Scores({3: 0.5, 4: 0.51, 5: 0.5})})
    assert [(item.name, item.rank) for item in ranking.entries] == [("a", 1), ("b", None)]
    assert ranking.detectable_difference is None
    assert rank({}).entries == []


def test_more_seeds_of_one_line_are_used():
    few, many = {0: 0.50, 1: 0.56, 2: 0.62}, {seed: 0.60 + seed / 1_000 for seed in range(9)}
    (first, second) = rank({"few": Scores(few), "many": Scores(many)}).entries
    assert (first.name, second.name) == ("many", "few")
    assert first.estimate.n == 9 and second.estimate.n == 3


def tie(board, away, higher_is_better):
    """Rank a board whose line 1 is moved to a distance from the best, line 0."""
    best, other = (board[name].by_seed for name in ("line 0", "line 1"))
    level = np.mean(list(best.values())) - np.mean(list(other.values()))
    sign = 1 if higher_is_better else -1
    moved = {seed: value + level - sign * away for seed, value in other.items()}
    lines = {**board, "line 1": Scores(moved, board["line 1"].parts)}
    return rank(lines, higher_is_better=higher_is_better).entries[1]


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_tie_ends_at_the_detectable_difference(higher_is_better):
    """The margin depends on the spread alone, so moving a tied entry leaves it as it is."""
    random = np.random.default_rng(5)
    worst = -90.0 if higher_is_better else 90.0
    for _ in range(20):
        board = lines(random, 3, 3, SPREADS["all alike"], [0.0, 0.0, worst])
        tied = tie(board, 1e-6, higher_is_better)
        assert (tied.name, tied.rank) == ("line 1", 1)
        reach = tied.detectable_difference
        assert tie(board, 0.999 * reach, higher_is_better).rank == 1
        apart = tie(board, 1.001 * reach, higher_is_better)
        assert (apart.name, apart.rank, apart.detectable_difference) == ("line 1", 2, None)


def test_a_tied_entry_is_behind_by_at_most_the_detectable_difference():
    random = np.random.default_rng(4)
    for _ in range(50):
        ranking = rank(lines(random, 4, 3, (0.3, 0.3, 0.3), [0.0, 0.3, 0.6, 0.9]))
        leaders = {one.rank: one for one in ranking.entries if one.detectable_difference is None}
        for tied in (one for one in ranking.entries if one.detectable_difference):
            gap = leaders[tied.rank].estimate.value - tied.estimate.value
            assert 0 <= gap <= tied.detectable_difference
        assert ranking.detectable_difference > 0


def test_without_parts_the_interval_of_a_difference_is_student_s():
    one, other = {0: 0.52, 1: 0.61, 2: 0.70}, {0: 0.50, 1: 0.55, 2: 0.62}
    gap = difference(Scores(one), Scores(other))
    paired = scipy.stats.ttest_rel(list(one.values()), list(other.values()))
    assert (gap.low, gap.high) == pytest.approx(tuple(paired.confidence_interval()))
    same = difference(Scores(one), Scores(one))
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_parts_that_are_missing_or_unequal_leave_the_seeds():
    seeds = {0: 0.5, 1: 0.6, 2: 0.7}
    plain = Scores(seeds).estimate()
    assert Scores(seeds, {0: [0.5], 1: [0.6, 0.6], 2: []}).estimate() == plain
    with_none = Scores(seeds, {seed: [None, 0.4, 0.8] for seed in seeds}).estimate()
    assert with_none.low < plain.low


def test_an_entry_with_other_parts_takes_those_of_no_other_entry():
    """The examples alone separate nothing among equals, whoever joins the board."""
    random = np.random.default_rng(0)
    separated = 0
    for _ in range(100):
        examples = random.normal(size=NUM_PARTS)
        equal = {
            f"line {number}": draw(random, 3, (0.01, 1.0, 0.0), examples=effects)
            for number, effects in enumerate(
                examples + random.normal(size=NUM_PARTS) for _ in range(4)
            )
        }
        joining = draw(random, 3, (0.01, 1.0, 0.0), mean=-9.0)
        halved = {seed: parts[: NUM_PARTS // 2] for seed, parts in joining.parts.items()}
        found = rank({**equal, "joining": Scores(joining.by_seed, halved)})
        separated += len({one.rank for one in found.entries if one.name != "joining"}) > 1
    assert separated <= 12, "about 5 of 100"


@pytest.mark.parametrize("level", [1.0, 2.5, 4.0])
@pytest.mark.parametrize("of_seeds", [0.0, 0.4])
def test_intervals_of_shares_cover_the_truth_and_stay_shares(of_seeds, level):
    """Accuracies of about 0.7, 0.9 and 0.97 on 1,000 examples, which are not equally hard."""
    random = np.random.default_rng(int(10 * (level + of_seeds)))
    hard = 2 * random.normal(size=200_000)
    truth = np.mean(1 / (1 + np.exp(of_seeds * random.normal(size=200_000) - level - hard)))
    covered = []
    for _ in range(TRIALS):
        hardness = 2 * random.normal(size=(1, NUM_PARTS, 50))
        effects = of_seeds * random.normal(size=(3, 1, 1))
        chances = 1 / (1 + np.exp(effects - level - hardness))
        right = (random.random(chances.shape) < chances).mean(axis=-1)
        estimate = Scores(
            dict(enumerate(right.mean(axis=-1))), dict(enumerate(right.tolist())), share=True
        ).estimate()
        assert 0 < estimate.low < estimate.value < estimate.high < 1
        covered.append(estimate.low <= truth <= estimate.high)
    # 93 to 97, widened by the sampling error of 600 trials.
    assert 0.93 - 0.02 <= np.mean(covered) <= 0.97 + 0.02


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_of_0_or_1_has_wilson_s_interval(value):
    seeds, parts = dict.fromkeys(range(3), value), {seed: [value] * NUM_PARTS for seed in range(3)}
    for num_examples, expected in ((1_000, 1_000), (None, NUM_PARTS)):
        found = Scores(seeds, parts, share=True, num_examples=num_examples).estimate()
        successes = int(value * expected)
        wilson = scipy.stats.binomtest(successes, expected).proportion_ci(method="wilson")
        assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))


@pytest.mark.parametrize("wrong", [1, 40])
def test_equal_seeds_have_the_interval_of_their_test_examples(wrong):
    """Each seed errs on other examples, so that neither seeds nor parts vary by more than that."""
    parts = {
        seed: [1 - wrong / 10 / 6 * (part % 3 == seed and part < 18) for part in range(NUM_PARTS)]
        for seed in range(3)
    }
    seeds = dict.fromkeys(range(3), 1 - wrong / 200)
    plain = Scores(seeds, parts, share=True).estimate()
    assert plain.high - plain.low < 1e-9
    found = Scores(seeds, parts, share=True, num_examples=200).estimate()
    wilson = scipy.stats.binomtest(200 - wrong, 200).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))
    perfect = Scores(dict.fromkeys(range(3), 1.0), share=True, num_examples=200).estimate()
    assert found.low < perfect.low


@pytest.mark.parametrize("level", [4.0, 6.0, 8.0])
def test_intervals_of_shares_near_1_cover_the_truth(level):
    """Accuracies of about 0.93, 0.986 and 0.998 on 200 examples, of which few are wrong."""
    random = np.random.default_rng(int(level))
    truth = np.mean(1 / (1 + np.exp(-level - 2 * random.normal(size=200_000))))
    covered = []
    for _ in range(TRIALS):
        chances = 1 / (1 + np.exp(-level - 2 * random.normal(size=(1, NUM_PARTS, 10))))
        right = (random.random((3, NUM_PARTS, 10)) < chances).mean(axis=-1)
        table = dict(enumerate(right.mean(axis=-1))), dict(enumerate(right.tolist()))
        estimate = Scores(*table, share=True, num_examples=200).estimate()
        assert estimate.high - estimate.low > 0.01
        covered.append(estimate.low <= truth <= estimate.high)
    assert 0.93 - 0.02 <= np.mean(covered) <= 0.97 + 0.02


def corpus(random, num_seeds):
    """Draw true positives, and predicted plus true entities, of sentences by seed and part.

    Parts hold few entities and are unequally long and hard, so the mean of their F1 is not F1.
    """
    entities = random.poisson(random.gamma(0.5, 20, size=NUM_PARTS))
    chances = 1 / (1 + np.exp(-1.5 - random.normal(size=NUM_PARTS)))
    found = random.binomial(entities, chances, size=(num_seeds, NUM_PARTS))
    wrong = random.poisson(0.2 * entities, size=(num_seeds, NUM_PARTS))
    return found, entities + found + wrong


def test_the_jackknife_of_f1_is_centred_on_the_corpus_and_covers_the_truth():
    random = np.random.default_rng(6)
    num_parts_of_truth = 400_000
    entities = random.poisson(random.gamma(0.5, 20, size=num_parts_of_truth))
    chances = 1 / (1 + np.exp(-1.5 - random.normal(size=num_parts_of_truth)))
    truth = 2 * (entities * chances).sum() / (entities * (1.2 + chances)).sum()
    covered, means_of_parts, means_of_pseudo_values = [], [], []
    for _ in range(TRIALS):
        found, total = corpus(random, 3)
        whole = 2 * found.sum(axis=1) / total.sum(axis=1)
        without = (
            2
            * (found.sum(axis=1, keepdims=True) - found)
            / (total.sum(axis=1, keepdims=True) - total)
        )
        parts = {
            seed: pseudo_values(float(whole[seed]), without[seed].tolist()) for seed in range(3)
        }
        estimate = Scores(dict(enumerate(whole.tolist())), parts, share=True).estimate()
        assert estimate.value == pytest.approx(whole.mean())
        covered.append(estimate.low <= truth <= estimate.high)
        means_of_pseudo_values.append(np.mean(list(parts.values())))
        means_of_parts.append(np.mean(2 * found[:, total[0] > 0] / total[:, total[0] > 0]))
    assert np.mean(means_of_pseudo_values) == pytest.approx(truth, abs=0.005)
    assert np.mean(means_of_parts) < truth - 0.01
    assert 0.93 - 0.02 <= np.mean(covered) <= 0.97 + 0.02


def test_pseudo_values_of_a_mean_are_the_parts_scores():
    scores = np.random.default_rng(7).random(NUM_PARTS)
    without = [np.delete(scores, part).mean() for part in range(NUM_PARTS)]
    assert pseudo_values(scores.mean(), without) == pytest.approx(scores.tolist())
    assert pseudo_values(0.5, [None, 0.4]) == [None, pytest.approx(0.6)]


def test_interquartile_mean():
    assert interquartile_mean([1, 2, 3, 100]) == pytest.approx(2.5)
    assert interquartile_mean([0.0, 1.0, 2.0, 3.0, 4.0, 100.0]) == pytest.approx(7.5 / 3)
    assert interquartile_mean([5.0]) == 5.0


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize(
    ("of_two", "expected"),
    [
        (9.0, {"two": None, "first": None, "tied": None, "last": None}),
        (7.0, {"first": 1, "tied": 1, "two": None, "last": None}),
        (4.0, {"first": 1, "tied": 1, "last": 3, "two": None}),
    ],
)
def test_no_rank_is_given_that_a_line_with_few_repeats_may_precede(
    of_two, expected, higher_is_better
):
    sign = 1 if higher_is_better else -1
    values = {
        "first": (8.1, 8.0, 7.9),
        "tied": (7.9, 8.1, 7.9),
        "last": (5.0, 5.1, 4.9),
        "two": (of_two, of_two),
    }
    lines = {
        name: Scores({seed: sign * value for seed, value in enumerate(of_line)})
        for name, of_line in values.items()
    }
    found = only_certain(
        rank(lines, higher_is_better=higher_is_better), higher_is_better=higher_is_better
    )
    assert {one.name: one.rank for one in found.entries} == expected
    assert [one.name for one in found.entries] == list(expected)  # the best first
    withheld = {one.name: one.ahead for one in found.entries if one.ahead}
    assert withheld == {name: "two" for name, one in expected.items() if not one and name != "two"}
    assert all(one.detectable_difference is None for one in found.entries if one.ahead)
    assert (found.detectable_difference is None) is (of_two == 9.0)
