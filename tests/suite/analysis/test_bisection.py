"""Searches find what is known."""

from __future__ import annotations

import math
import random

import pytest

from suite.analysis.bisection import find_crossing, find_frontier

LENGTHS = (128, 256, 512, 1_024, 2_048, 4_096, 8_192)


@pytest.mark.parametrize("truth", [128, 129, 1_000, 3_333, 100_000])
def test_the_frontier_is_found_within_a_twentieth(truth):
    asked = []

    def fits(length):
        asked.append(length)
        return length <= truth

    longest, beyond = find_frontier(fits, 128, 2**20)
    assert longest <= truth < beyond <= max(1.05 * longest, longest + 2)
    assert len(asked) == len(set(asked)) <= 20


def test_a_frontier_below_or_beyond_all_lengths_is_said():
    assert find_frontier(lambda length: False, 128, 4_096) == (None, 128)
    assert find_frontier(lambda length: True, 128, 4_096) == (4_096, None)


@pytest.mark.parametrize("truth", [200, 700, 1_500, 6_000])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_crossing_is_found_within_a_twentieth(truth, noise):
    generator = random.Random(truth)
    found = find_crossing(
        lambda length: {
            repeat: math.log(length / truth) + generator.gauss(0, noise) for repeat in range(3)
        },
        LENGTHS,
        ("a", "b"),
    )
    assert found.length.value == pytest.approx(truth, rel=0.05)
    assert found.length.low <= truth * (1 + 1e-6)
    assert found.length.high >= truth * (1 - 1e-6)


def test_no_crossing_is_told_with_who_is_ahead():
    assert find_crossing(lambda length: {0: 1.0}, LENGTHS, ("a", "b")).always == "b"
    behind = find_crossing(lambda length: {0: -1.0}, LENGTHS, ("a", "b"))
    assert (behind.always, behind.searched_to, behind.length) == ("a", 8_192, None)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("halves", [True, False])
def test_curves_that_cross_back_have_two_changes(sign, halves):
    """The second leads, or falls behind, between 300 and 3,000 alone."""

    def advantage(length):
        lead = math.log(length / 300) if length < 1_000 else math.log(3_000 / length)
        return {repeat: sign * lead + 0.01 * (repeat - 1) for repeat in range(3)}

    found = find_crossing(advantage, LENGTHS, ("a", "b"), halves=halves)
    assert found.length is None is found.always
    assert [change.ahead for change in found.changes] == (["b", "a"] if sign > 0 else ["a", "b"])
    values = [change.length.value for change in found.changes]
    assert values == pytest.approx([300, 3_000], rel=0.05 if halves else 0.4)
    assert all(change.length.low is not None for change in found.changes if halves)


def test_a_lead_that_is_lost_at_the_longest_length_is_noticed():
    found = find_crossing(lambda n: {0: 1.0 if n < 8_192 else -1.0}, LENGTHS, ("a", "b"))
    assert [change.ahead for change in found.changes] == ["a"] and found.always is None


@pytest.mark.parametrize("halves", [True, False])
def test_repeats_are_paired_by_their_number(halves):
    """Repeat 0 lacks one length: its line has the other lengths, and no other repeat's values."""
    offset = {0: 0.0, 1: 0.5, 2: 1.0}

    def advantage(length):
        repeats = offset if length != 512 else {1: 0.5, 2: 1.0}
        return {number: math.log(length / 700) + offset[number] for number in repeats}

    found = find_crossing(advantage, LENGTHS, ("a", "b"), halves=halves).length
    assert found.n == 3
    assert found.value == pytest.approx(700 / math.exp(0.5))


def curved(length):
    """Return a lead whose slope grows with the length: 0 at 1,500."""
    return math.log((length + length**2 / 1_000) / 3_750)


def test_between_lengths_that_are_far_apart_a_crossing_is_interpolated():
    """A line through three lengths would cross where no round does."""
    lengths = (512, 1_024, 2_048, 4_096)
    rounds = {0: -0.05, 1: 0.0, 2: 0.05}
    found = find_crossing(
        lambda length: {n: curved(length) + by for n, by in rounds.items()},
        lengths,
        ("a", "b"),
        halves=False,
    ).length
    assert found.low < 1_500 < found.high
    assert found.value == pytest.approx(1_500, rel=0.02)


def test_a_round_may_cross_between_other_lengths_than_most():
    leads = {512: {0: -1, 1: -1, 2: -1}, 1_024: {0: -0.1, 1: 1, 2: 1}, 2_048: {0: 1, 1: 1, 2: 1}}
    found = find_crossing(leads.__getitem__, list(leads), ("a", "b"), halves=False).length
    middle, later = math.log2(math.sqrt(512 * 1_024)), 10 + 0.1 / 1.1
    assert found.value == pytest.approx(2 ** ((2 * middle + later) / 3))
    # A round that never crosses leaves the place without an interval.
    leads[2_048][0] = -0.1
    found = find_crossing(leads.__getitem__, list(leads), ("a", "b"), halves=False).length
    assert 512 < found.value < 1_024 and found.low is None is found.high
