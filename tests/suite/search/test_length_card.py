"""The measurements of a length card: lengths, rounds and references within a budget."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import timedelta

import pytest

from suite.api import Mode, RequestError, Status
from suite.matrix.request import Request
from suite.records.environment import describe_environment
from suite.records.naming import new_run_id
from suite.records.store import Store
from suite.search.length_card import (
    MOST_PAIRED_ROUNDS,
    PAIRED_ROUNDS,
    ROUNDS,
    CardBudget,
    CardMeasuring,
    Subject,
)
from tests.builders.length_costs import InstantRuns
from tests.builders.records import MOMENT, make_record, new_store

BUDGET = CardBudget(seconds=600, memory_bytes=None, up_to=8_192)


def subject(name="llama", modes=(Mode.PROBE, Mode.DECODE), longest=None):
    request = Request(
        mode=None, architectures=(name,), form="decoder", model_size="2x64x2", batch_size=1,
        methods=((),),
    )  # fmt: skip
    return Subject(name, request, modes, longest)


def compare(tmp_path, run, budget, **of_first):
    """Compare a model with itself, and return both subjects."""
    first = subject(**of_first)
    other = dataclasses.replace(subject(), first_round=MOST_PAIRED_ROUNDS, records={}, ended={})
    CardMeasuring(Store(tmp_path / "home"), run, budget).compare(first, other)
    return first, other


def measure(tmp_path, run, budget=BUDGET, references=(), **of_subject):
    measured = subject(**of_subject)
    CardMeasuring(Store(tmp_path / "home"), run, budget).measure(measured, references)
    return measured


def lengths_of(run, mode="probe", name="llama", number=0):
    return [n for who, how, n, of in run.runs if (who, how, of) == (name, mode, number)]


@pytest.mark.parametrize(("seconds", "limits"), [(1, [300, 300]), (600, [600, 595])])
def test_a_started_measurement_ends_with_the_time_of_the_card_but_has_five_minutes(
    tmp_path, seconds, limits
):
    found, run = [], InstantRuns(seconds=5)

    def watched(prepared):
        found.append(prepared.limits.seconds)
        return run(prepared)

    measure(tmp_path, watched, CardBudget(seconds, None, 128))
    assert found[:2] == limits


def test_lengths_quadruple_to_the_end_before_those_between_and_further_rounds(tmp_path):
    measure(tmp_path, run := InstantRuns())
    assert lengths_of(run) == [128, 512, 2_048, 8_192, 4_096, 1_024, 256]
    assert lengths_of(run) == lengths_of(run, "decode")
    assert sorted(lengths_of(run, number=1)) == sorted(lengths_of(run))
    assert len(set(run.runs)) == len(run.runs)


def test_a_budget_of_time_leaves_out_what_would_not_end_in_it(tmp_path):
    measure(tmp_path, run := InstantRuns(seconds=20), CardBudget(130, None, 2**20))
    assert 2 <= len(lengths_of(run)) < 7
    assert 20 * len(run.runs) <= 130


def test_nothing_longer_is_measured_once_the_memory_does_not_suffice(tmp_path):
    measured = measure(tmp_path, run := InstantRuns(fails_at=1_500))
    assert max(lengths_of(run)) == 2_048
    assert Counter(lengths_of(run))[2_048] == 1
    assert measured.ended == {Mode.PROBE: 2_048, Mode.DECODE: 2_048}


def test_a_budget_of_memory_ends_the_lengths(tmp_path):
    measure(tmp_path, run := InstantRuns(), CardBudget(600, 10**8, 2**20))
    assert max(lengths_of(run)) == 2_048  # it takes 102 MB
    with pytest.raises(RequestError, match=r"does not fit .* at 128 tokens"):
        measure(tmp_path, InstantRuns(), CardBudget(600, 2**10, 2**20))


def test_a_model_with_an_end_of_its_own_is_measured_up_to_there(tmp_path):
    measure(tmp_path, run := InstantRuns(), longest=700)
    assert max(lengths_of(run)) == 700


@pytest.mark.parametrize(("longest", "contexts"), [(1_024, [128, 512, 992]), (540, [128, 508])])
def test_a_decoding_leaves_positions_for_the_generated_tokens(tmp_path, longest, contexts):
    reference = subject("gated_deltanet")
    measure(tmp_path, run := InstantRuns(), references=[reference], longest=longest)
    ladder = [n for n in lengths_of(run, "decode") if n != 256]
    assert ladder == lengths_of(run, "decode", "gated_deltanet") == contexts
    assert len(set(run.runs)) == len(run.runs)
    _, other = compare(tmp_path, InstantRuns(), BUDGET, longest=longest)
    assert {n for mode, n, _ in other.records if mode is Mode.DECODE} == set(contexts)


def test_a_model_that_ends_before_the_first_length_is_measured_at_its_end(tmp_path):
    measure(tmp_path, run := InstantRuns(), CardBudget(1, None, 2**20), longest=64)
    assert lengths_of(run) == [64] and lengths_of(run, "decode") == [32]
    with pytest.raises(RequestError, match="at 64 tokens"):
        measure(tmp_path / "other", InstantRuns(fails_at=1), longest=64)


def test_the_length_from_which_on_the_time_does_not_suffice_is_known(tmp_path):
    measured = measure(tmp_path, InstantRuns(seconds=20), CardBudget(90, None, 2**20))
    longest = {
        mode: max(n for of, n, _ in measured.records if of is mode) for mode in measured.too_late
    }
    assert measured.too_late == {Mode.PROBE: 2_048, Mode.DECODE: 512}
    assert longest == {Mode.PROBE: 1_024, Mode.DECODE: 128}
    whole = measure(tmp_path / "other", InstantRuns(seconds=2), CardBudget(90, None, 512))
    assert not whole.too_late


def test_a_length_that_a_later_round_measures_is_not_left_out(tmp_path):
    """The expected time of a length falls once a shorter one shows less growth."""
    times = {128: 5, 256: 30, 512: 20, 1_024: 45, 2_048: 60, 4_096: 80, 8_192: 150}
    run, taken = InstantRuns(), {}

    def timed(prepared):
        (record,) = run(prepared)
        seconds = timedelta(seconds=times[record.cell.sequence_length])
        taken[record.cell.sequence_length] = record.cell.round
        return [record.model_copy(update={"ended_at": record.started_at + seconds})]

    measured, budget = subject(modes=(Mode.PROBE,)), dataclasses.replace(BUDGET, seconds=440)
    CardMeasuring(Store(tmp_path / "home"), timed, budget).measure(measured)
    assert measured.left_out[Mode.PROBE][0] == 8_192 and taken[8_192] == 1
    assert not measured.too_late


def test_a_clock_that_is_set_back_ends_no_card(tmp_path):
    measured = measure(tmp_path, InstantRuns(seconds=0), dataclasses.replace(BUDGET, up_to=2_048))
    assert {length for _, length, _ in measured.records} == {128, 256, 512, 1_024, 2_048}


def test_references_are_measured_at_the_lengths_of_the_model(tmp_path):
    reference = subject("gated_deltanet")
    measure(tmp_path, run := InstantRuns(fails_at=3_000), references=[reference])
    assert lengths_of(run, name="gated_deltanet") == [128, 512, 2_048]
    assert len(reference.records) == 6


def test_a_reference_or_a_length_that_is_not_supported_ends_no_card(tmp_path):
    """An axial grid has as many positions as places; rotary positions need an even head size."""

    def subject_of(name, **of_request):
        made = subject(name, modes=(Mode.PROBE,))
        return dataclasses.replace(made, request=dataclasses.replace(made.request, **of_request))

    grid = {"axial_grid": "16,32"}
    model = subject_of("reformer", options=grid)
    reference = subject_of("vanilla", options={"positions": "rotary"}, model_size="2x6x2")
    measuring = CardMeasuring(Store(tmp_path / "home"), run := InstantRuns(), BUDGET)
    measuring.measure(model, [reference])
    assert lengths_of(run, name="reformer")[:3] == [128, 512, 2_048]
    assert (model.ended, reference.ended) == ({Mode.PROBE: 1_024}, {Mode.PROBE: 128})
    with pytest.raises(RequestError, match="No cell of this request can run"):
        measuring.measure(subject_of("reformer", options=grid, model_size="2x7x2"))


def test_what_failed_runs_again_and_what_is_done_does_not(tmp_path):
    store, ran = new_store(tmp_path / "home"), []

    def run(prepared):
        (planned,) = prepared.plan.cells
        if done := prepared.plan.done.get(planned.cell.id):
            return [done]
        status = Status.OK if ran else Status.FAILED
        ran.append(status)
        run_id = new_run_id(MOMENT, store.run_ids())
        environment = describe_environment()
        record = make_record(status, cell=planned.cell, run_id=run_id, environment=environment)
        store.write(record)
        return [record]

    measuring = CardMeasuring(store, run, dataclasses.replace(BUDGET, up_to=128))
    with pytest.raises(RequestError, match="cannot be measured at 128 tokens"):
        measuring.measure(subject(modes=(Mode.PROBE,)))
    for _ in range(2):
        measuring.measure(subject(modes=(Mode.PROBE,)))
    assert ran == [Status.FAILED, *[Status.OK] * ROUNDS]


def test_two_models_are_measured_in_interleaved_rounds_also_a_model_and_itself(tmp_path):
    first, other = compare(tmp_path, run := InstantRuns(seconds=2), BUDGET)
    assert first.records.keys() == other.records.keys()
    assert {length for _, length, _ in first.records} == {128, 512, 2_048, 8_192}
    assert {number for *_, number in first.records} == set(range(PAIRED_ROUNDS))
    rounds = [number for *_, number in run.runs]
    pairs = [tuple(rounds[start : start + 2]) for start in range(0, len(rounds), 2)]
    assert all(abs(one - two) == MOST_PAIRED_ROUNDS for one, two in pairs)
    assert {one < two for one, two in pairs} == {True, False}, "each is the first in some rounds"
    assert len(set(run.runs)) == len(run.runs)


def test_no_round_measures_one_model_alone(tmp_path):
    """The first model, whose rounds are the first ones, runs out of memory at 2,048."""
    run = InstantRuns(seconds=2)
    failing = InstantRuns(seconds=2, fails_at=2_000)

    def one_of_them(prepared):
        (planned,) = prepared.plan.cells
        return (failing if planned.cell.round < MOST_PAIRED_ROUNDS else run)(prepared)

    first, other = compare(tmp_path, one_of_them, BUDGET)
    assert first.ended == {Mode.PROBE: 2_048, Mode.DECODE: 2_048}
    assert {number for _, length, number in other.records if length >= 2_048} == {0}
    assert {number for *_, number in other.records} >= set(range(PAIRED_ROUNDS))
    assert first.lost_to(other) == first.ended and not other.lost_to(first)
    first.ended[Mode.PROBE] = 128  # by chance, in a later round
    assert first.lost_to(other) == {Mode.PROBE: 2_048, Mode.DECODE: 2_048}


def test_a_noisy_comparison_has_further_rounds_until_it_is_precise_or_the_time_is_used(tmp_path):
    few = CardBudget(seconds=600, memory_bytes=None, up_to=512)
    counts = []
    for noise, name in ((0.0, "exact"), (0.02, "noisy"), (0.5, "noisier")):
        first, _ = compare(tmp_path / name, run := InstantRuns(seconds=2, noise=noise), few)
        counts.append(len({number for *_, number in first.records}))
        assert 2 * len(run.runs) <= 600 + 2
    exact, noisy, noisier = counts
    assert PAIRED_ROUNDS <= exact < noisy < noisier < MOST_PAIRED_ROUNDS
