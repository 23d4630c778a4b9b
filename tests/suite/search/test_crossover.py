"""Crossovers: costs by probes, scores by records."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.api import Mode, RequestError, Status
from suite.execution.preparation import prepare
from suite.records.environment import describe_machine
from suite.records.measures import DECODING_PHASES, MEASURES, PHASES
from suite.records.schema import Invocation
from suite.search.crossover import cost_crossover, score_crossover
from tests.builders.crossovers import LEARNED, PAIR, learned
from tests.builders.records import MOMENT, make_record, measured

GENERATORS = replace(PAIR, architectures=("vanilla", "mamba2"))


def probes(measure, value_of):
    """Return a `run` whose probes end at once with the value of an architecture and length."""
    phase, _, name = measure.partition(".")

    def run(prepared):
        return [
            make_record(
                cell=cell,
                measurements={
                    phase: {name: measured(value_of(cell.architecture, cell.sequence_length))}
                },
            )
            for cell in (planned.cell for planned in prepared.plan.cells)
        ]

    return run


OF_EACH_KIND = {
    (measure.higher_is_better, name.startswith(DECODING_PHASES)): name
    for name, measure in MEASURES.items()
}
"""A measure of each direction, and of none, from a pass and from decoding."""


@pytest.mark.parametrize("measure", OF_EACH_KIND.values())
def test_the_declared_direction_decides_which_is_better(store, measure):
    """The second's values fall with the length, vanilla's stay: they meet at 1,000."""
    pair = GENERATORS if measure.startswith(DECODING_PHASES) else PAIR
    second = pair.architectures[1]
    run = probes(measure, lambda name, length: 1.0 if name == "vanilla" else 1_000 / length)
    higher_is_better = MEASURES[measure].higher_is_better
    if higher_is_better is None:
        with pytest.raises(RequestError, match="better direction"):
            cost_crossover(pair, store, run, measure)
        return
    found = cost_crossover(pair, store, run, measure)
    assert [one.ahead for one in found.crossing.changes] == [
        "vanilla" if higher_is_better else second
    ]
    assert found.crossing.length.value == pytest.approx(1_000, rel=0.05)


def test_the_probes_and_their_time_are_stated_before_the_first_probe(store):
    told = []

    def run(prepared):
        told.append("a probe")
        return probes("training.step_seconds", lambda name, length: 1.0)(prepared)

    cost_crossover(PAIR, store, run, "training.step_seconds", told.append)
    count, lengths = 2 * len(PAIR.lengths) * (PAIR.rounds or 3), len(PAIR.lengths)
    assert told[0].startswith(f"{count} probes at {lengths} lengths from {PAIR.lengths[0]}")
    assert "an unknown time" in told[0] and told[1] == "a probe"


def test_a_sentence_on_curves_that_cross_back_promises_nothing(store):
    run = probes("training.step_seconds", lambda name, n: 2.0 if (name, n) == ("bert", 512) else
                 0.5 if name == "bert" else 1.0)  # fmt: skip
    found = cost_crossover(PAIR, store, run, "training.step_seconds")
    assert [change.ahead for change in found.crossing.changes] == ["vanilla", "bert"]
    assert "the curves cross back" in str(found)
    told = json.loads(json.dumps(found.to_dict()))
    assert told["length"] is None and [one["ahead"] for one in told["changes"]] == [
        "vanilla",
        "bert",
    ]


def test_only_conditions_of_a_measurement_lack_a_direction():
    undirected = {name for name, measure in MEASURES.items() if measure.higher_is_better is None}
    phases = (*PHASES, *DECODING_PHASES)
    assert undirected == {f"{phase}.other_process_cpu_share" for phase in phases}


def decodings(noisy=()):
    """Return a `run` of decodings, noisy in some rounds; in these Mamba-2 is absurdly slow.

    A token of vanilla takes 1 ms at a context of 1,000 and more beyond; one of Mamba-2 always takes
    1 ms. A batch of more sequences takes 100 times as long with Mamba-2.
    """
    cells = []

    def run(prepared):
        new = [planned.cell for planned in prepared.plan.cells]
        cells.extend(new)
        found = []
        for cell in new:
            seconds = cell.sequence_length * 1e-6
            if cell.architecture == "mamba2":
                seconds = 1e-3 * (100 if cell.batch_size > 1 else 1)
                seconds *= 1e6 if cell.round in noisy else 1
            found.append(
                make_record(
                    cell=cell,
                    measurements={"generation": {"step_seconds": measured(seconds)}},
                    details={"noisy": ("generation",) if cell.round in noisy else ()},
                )
            )
        return found

    return run, cells


def test_from_which_context_on_one_architecture_generates_faster(store):
    run, cells = decodings()
    found = cost_crossover(GENERATORS, store, run, "generation.step_seconds")
    assert found.crossing.length.value == pytest.approx(1_000, rel=0.05)
    assert found.crossing.length.n == 3
    assert str(found).startswith("mamba2 overtakes vanilla in generation.step_seconds at length")
    decoded = {(cell.mode, str(cell.form), cell.batch_size) for cell in cells}
    assert decoded == {(Mode.DECODE, "decoder", 1)}


def test_a_given_batch_size_is_decoded(store):
    run, cells = decodings()
    found = cost_crossover(replace(GENERATORS, batch_size=8), store, run, "generation.step_seconds")
    assert found.crossing.always == "vanilla"
    assert {cell.batch_size for cell in cells} == {8}


def test_noisy_generation_does_not_count_where_a_round_is_quiet(store):
    run, _ = decodings(noisy={1})
    found = cost_crossover(GENERATORS, store, run, "generation.step_seconds")
    assert found.crossing.length.value == pytest.approx(1_000, rel=0.05)
    assert not found.noisy_lengths
    run, _ = decodings(noisy={0, 1, 2})
    assert cost_crossover(GENERATORS, store, run, "generation.step_seconds").noisy_lengths


def test_a_decoding_beyond_memory_is_named(store):
    def run(prepared):
        return [
            make_record(cell=planned.cell, status=Status.OUT_OF_MEMORY, reason="took over 2 GiB")
            for planned in prepared.plan.cells
        ]

    with pytest.raises(RequestError, match=r"decode · vanilla · 128 .* took over 2 GiB"):
        cost_crossover(GENERATORS, store, run, "generation.step_seconds")


def test_a_value_of_zero_is_refused_in_words(store):
    run = probes("training.energy_joules_per_token", lambda name, length: 0.0)
    with pytest.raises(RequestError, match="must be above 0"):
        cost_crossover(PAIR, store, run, "training.energy_joules_per_token")


def test_a_failed_probe_is_named(store):
    def run(prepared):
        return [
            make_record(cell=planned.cell, status=Status.FAILED, reason="no such operation")
            for planned in prepared.plan.cells
        ]

    with pytest.raises(RequestError, match="no such operation"):
        cost_crossover(PAIR, store, run)


def test_lower_perplexity_is_better(store):
    vanilla, gpt = {64: (10.0, 10.1), 256: (20.0, 20.1)}, {64: (12.0, 12.1), 256: (15.0, 15.1)}
    records = learned(store, {"vanilla": vanilla, "gpt": gpt})
    found = score_crossover(LEARNED, records, "perplexity")
    assert found.crossing.length is not None and 64 < found.crossing.length.value < 256
    gaps = {at: gap.value for at, gap in found.differences.items()}
    assert gaps == pytest.approx({64: -2.0, 256: 5.0})
    assert json.loads(json.dumps(found.to_dict()))["differences"][0]["length"] == 64


def test_tuned_records_are_preferred(store):
    figures = {name: {64: (10.0, 10.1), 256: (20.0, 20.1)} for name in ("vanilla", "gpt")}
    figures["gpt"] = dict.fromkeys((64, 256), (30.0, 30.1))
    records = learned(store, figures, rates=(None, 3e-3))
    found = score_crossover(LEARNED, records, "perplexity")
    gaps = {at: gap.value for at, gap in found.differences.items()}
    assert gaps == pytest.approx({64: -2.0, 256: -1.0})


def noisy_probes(noisy_rounds):
    """Return a `run` whose probes are noisy in some rounds, with absurd values there."""

    def run(prepared):
        found = []
        for cell in (planned.cell for planned in prepared.plan.cells):
            noisy = cell.round in noisy_rounds
            speed = 1.0 if cell.architecture == "vanilla" else 1_000 / cell.sequence_length
            value = measured(1e9 if noisy and cell.architecture == "bert" else speed)
            found.append(
                make_record(
                    cell=cell,
                    measurements={"training": {"tokens_per_second": value}},
                    details={"noisy": ("training",) if noisy else ()},
                )
            )
        return found

    return run


def test_noisy_rounds_do_not_count_where_a_round_is_quiet(store):
    quiet = cost_crossover(PAIR, store, noisy_probes({}))
    one_noisy = cost_crossover(PAIR, store, noisy_probes({1}))
    assert one_noisy.crossing.length.value == pytest.approx(quiet.crossing.length.value)
    assert not one_noisy.noisy_lengths
    all_noisy = cost_crossover(PAIR, store, noisy_probes({0, 1, 2}))
    assert all_noisy.noisy_lengths and "noisy" in str(all_noisy)


@pytest.mark.parametrize("apart", [False, True])
def test_costs_of_two_sessions_are_measured_again_together(store, apart):
    """The second was probed on another day, on which the machine was ten times as fast."""
    runs = []

    def run(prepared):
        cells = [planned.cell for planned in prepared.plan.cells]
        again = len(prepared.plan.to_run) == len(cells)
        runs.append((cells[0].sequence_length, again))
        found = []
        for cell in cells:
            other_day = apart and not again and cell.architecture == "bert"
            session = "new" if again else "other" if other_day else "old"
            value = (0.5 if cell.architecture == "bert" else 1.0) * (10 if other_day else 1)
            found.append(
                make_record(
                    cell=cell,
                    measurements={"training": {"tokens_per_second": measured(value)}},
                    invocation=Invocation(
                        id=session, started_at=MOMENT, command="bench run", planned_cells=2
                    ),
                )
            )
        return found

    store.prepare()
    for planned in prepare(PAIR, store).plan.cells:  # all probes are done
        store.write(make_record(cell=planned.cell, environment=dict(describe_machine())))
    found = cost_crossover(PAIR, store, run)
    assert found.crossing.always == "vanilla"
    assert {again for _, again in runs} == ({False, True} if apart else {False})
