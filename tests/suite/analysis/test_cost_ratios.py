"""Costs relative to a baseline, as the leaderboard prints them."""

from __future__ import annotations

import dataclasses
import math

import pytest

from suite.analysis.comparisons import compare
from suite.analysis.cost_ratios import choose_probes, relative_costs
from suite.api import Status
from tests.builders.cost_pairs import MEMORY, SERVING, SPEED, measured
from tests.builders.costs import cost, rounds

WANTED = {"form": "encoder", "model_size": "tiny", "precision": "float32", "backend": "tensorflow"}


def relative(records):
    (comparison,) = compare(records)
    return relative_costs(comparison)


def test_ratios_are_paired_by_round_with_intervals_of_logarithms():
    records = measured("vanilla", 100.0, 4e6, noise=(1.0,) * 3) + measured("bert", 50.0, 8e6)
    found = relative(records)
    ratio = found["bert", 512][SPEED]
    assert ratio.value == pytest.approx(0.5, rel=1e-3) and ratio.n == 3
    # The drift of 40% leaves the ratios of rounds alone: they differ by the noise of 1%.
    assert 0.48 < ratio.low < 0.5 < ratio.high < 0.52
    assert ratio.value / ratio.low == pytest.approx(ratio.high / ratio.value)
    assert found["bert", 512][SERVING].value == pytest.approx(0.5)
    assert found["bert", 512][MEMORY].value == pytest.approx(2.0)
    assert {cost.value for cost in found["vanilla", 512].values()} == {1.0}


@pytest.mark.parametrize("noisy_entry", ["vanilla", "bert"])
def test_a_phase_without_a_quiet_measurement_has_no_ratio(noisy_entry):
    records = [
        record
        for entry in ("vanilla", "bert", "longformer")
        for record in measured(
            entry, 50.0, 8e6, noisy=("training",) if entry == noisy_entry else ()
        )
    ]
    found = relative(records)
    assert SPEED not in found["bert", 512] and MEMORY in found["bert", 512]
    assert found["bert", 512][SERVING].value == pytest.approx(1.0)
    assert (SPEED not in found["longformer", 512]) is (noisy_entry == "vanilla")


def test_a_ratio_never_crosses_sessions():
    records = measured("vanilla", 100.0, 4e6) + measured("longformer", 80.0, 4e6)
    records += measured("bert", 50.0, 8e6, session=2)
    found = relative(records)
    assert found["longformer", 512][SPEED].value == pytest.approx(0.8)
    assert ("bert", 512) not in found
    # A second session of all three: each ratio is of one session, and both say how they vary.
    records += measured("vanilla", 200.0, 4e6, session=3)
    records += measured("longformer", 176.0, 4e6, session=3) + measured(
        "bert", 90.0, 8e6, session=3
    )
    found = relative(records)
    assert found["longformer", 512][SPEED].value == pytest.approx(0.88)
    assert found["longformer", 512][SPEED].sessions == 2
    deviation = found["longformer", 512][SPEED].between_sessions
    assert deviation == pytest.approx(math.log(1.1) / math.sqrt(2))
    assert found["bert", 512][SPEED].value == pytest.approx(0.45)
    assert found["bert", 512][SPEED].between_sessions is None  # session 2 has no baseline


def test_only_two_lengths_are_compared_and_a_missing_baseline_gives_none():
    records = [
        record
        for length in (512, 2_048, 8_192)
        for entry in ("vanilla", "bert")
        if (entry, length) != ("vanilla", 8_192)
        for record in measured(entry, 100.0, 4e6, length=length)
    ]
    found = relative(records)
    assert set(found) == {("vanilla", 512), ("bert", 512)}  # there is no baseline at 8,192
    assert found["bert", 512][SPEED].value == pytest.approx(1.0)
    failed = cost("longformer", 0.0, status=Status.OUT_OF_MEMORY)
    assert ("longformer", 512) not in relative([*records, failed])


def test_the_comparison_with_the_most_ratios_is_printed():
    few = [*rounds("vanilla", 5.0, length=512), *rounds("bert", 5.0, length=512)]
    many = [
        record
        for entry in ("vanilla", "bert")
        for record in measured(entry, 5.0, 4e6, length=512, num_cores=8)
    ]
    few = [_elsewhere(record) for record in few]
    comparisons = compare([*few, *many])
    assert len(comparisons) == 2
    assert choose_probes(comparisons, ["bert"], **WANTED).measured_on[0] == "here"
    for other in (
        {"form": "decoder"}, {"model_size": "mini"}, {"precision": "bfloat16"}, {"backend": "jax"}
    ):  # fmt: skip
        assert choose_probes(comparisons, ["bert"], **{**WANTED, **other}) is None


def test_the_session_is_chosen_among_the_entries_of_a_table():
    """The session with the most entries need not be the one with those of a board."""
    large = [
        record
        for entry in ("vanilla", "longformer", "performer", "linformer")
        for record in measured(entry, 50.0, 4e6)
    ]
    later = [measured("vanilla", 100.0, 4e6, session=2), measured("bert", 25.0, 8e6, session=2)]
    comparisons = compare([*large, *(record for records in later for record in records)])
    assert comparisons[0].session.invocation == large[0].record.invocation.id
    probes = choose_probes(comparisons, ["bert"], **WANTED)
    assert probes.session.invocation == later[0][0].record.invocation.id
    assert relative_costs(probes)["bert", 512][SPEED].value == pytest.approx(0.25)
    assert comparisons[0].among(["gpt"]) is None


def _elsewhere(stored):
    return dataclasses.replace(stored, machine="there")
