"""Two models against each other: alarms are rare without a difference, and certain with one."""

from __future__ import annotations

import random

import pytest

from suite.analysis.cost_ratios import MIN_ROUNDS, cost_ratios
from suite.api import Mode
from suite.records.schema import Invocation
from tests.builders.length_costs import costs_at
from tests.builders.records import MOMENT, PROBE, make_record, measured

LENGTHS = (128, 512, 2_048, 8_192)
FAIL_ABOVE = 0.05


def runs(generator, *, slower=1.0, buffer=0.0, rounds=5, noise=0.04, session="s"):
    """Return the records of a model: `buffer` bytes for each pair of positions are added.

    `noise` is that of the time at all lengths, or at each.
    """
    invocation = Invocation(id=session, started_at=MOMENT, command="bench card", planned_cells=1)
    found = {}
    for length in LENGTHS:
        for number in range(rounds):
            costs = costs_at(length)
            of_length = noise if isinstance(noise, float) else noise[length]
            costs["fastest_step_seconds"] *= slower * generator.lognormvariate(0, of_length)
            costs["peak_memory_bytes"] += buffer * length**2
            costs["peak_memory_bytes"] *= generator.lognormvariate(0, 0.01)
            phases = {
                phase: {name: measured(value) for name, value in costs.items()}
                for phase in ("inference", "training")
            }
            record = make_record(cell=PROBE, measurements=phases, invocation=invocation)
            found[Mode.PROBE, length, number] = record
    return found


def alarms(seed, noise=0.02, **of_first):
    generator = random.Random(seed)
    ratios = cost_ratios(runs(generator, noise=noise, **of_first), runs(generator, noise=noise))
    return [ratio for ratio in ratios if ratio.exceeds(FAIL_ABOVE)]


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_a_model_against_itself_raises_at_most_two_alarms_of_a_hundred(noise):
    assert sum(bool(alarms(seed, noise=noise)) for seed in range(100)) <= 2


def test_a_single_length_has_no_mean_over_lengths():
    generator = random.Random(0)
    first, second = (
        {key: record for key, record in runs(generator).items() if key[1] == 128} for _ in range(2)
    )
    ratios = cost_ratios(first, second)
    assert {ratio.length for ratio in ratios} == {128}
    assert len({ratio.measure for ratio in ratios}) == len(ratios)


def test_a_length_that_is_noisier_than_the_others_has_a_wider_interval():
    generator, noise = random.Random(0), dict.fromkeys(LENGTHS, 0.02) | {128: 0.3}
    ratios = cost_ratios(runs(generator, noise=noise), runs(generator, noise=noise))
    of_time = [ratio for ratio in ratios if ratio.measure == "inference.step_seconds"]
    factors = {ratio.length: ratio.high / ratio.low for ratio in of_time}
    assert factors.pop(None) > 1.2 and factors.pop(128) > 2
    assert max(factors.values()) < 1.6, "a noisy length widens the intervals of the others"


def test_a_slowdown_of_ten_percent_is_found_in_nine_of_ten():
    assert sum(bool(alarms(seed, slower=1.1)) for seed in range(20)) >= 18


def test_an_added_buffer_of_n_squared_is_found_where_it_is_large():
    for seed in range(10):
        found = alarms(seed, buffer=4.0)
        assert any(
            ratio.measure.endswith("peak_memory_bytes") and ratio.length == 8_192 for ratio in found
        )


def test_no_interval_without_enough_rounds_and_no_ratio_across_sessions():
    generator = random.Random(0)
    few = {"rounds": MIN_ROUNDS - 1}
    ratios = cost_ratios(runs(generator, **few, slower=2.0), runs(generator, **few))
    assert all(ratio.low is None and not ratio.exceeds(FAIL_ABOVE) for ratio in ratios)
    assert cost_ratios(runs(generator), runs(generator, session="another")) == []


def test_a_length_that_ended_early_is_no_part_of_the_mean():
    def until(records):
        """Return records whose longest length ended after the first round."""
        return {key: each for key, each in records.items() if key[1] < LENGTHS[-1] or not key[2]}

    generator = random.Random(0)
    ratios = cost_ratios(until(runs(generator)), until(runs(generator)))
    of_time = {each.length: each for each in ratios if each.measure == "training.step_seconds"}
    assert of_time[LENGTHS[-1]].low is None and of_time[None].low is not None
    assert of_time[None].rounds == 5
