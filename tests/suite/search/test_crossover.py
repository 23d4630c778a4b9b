"""Crossovers: costs by probes, scores by records, and variants of an architecture."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.api import Mode, RequestError, Status
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.environment import describe_machine
from suite.records.measures import DECODING_PHASES, MEASURES
from suite.records.schema import Invocation, TuningChoice
from suite.search.crossover import cost_crossover, score_crossover
from tests.builders.records import MOMENT, make_record, measured, stored

PAIR = Request(mode=Mode.PROBE, architectures=("vanilla", "bert"), lengths=(128, 512, 2_048))


LEARNED = Request(
    tasks=("language_modeling",),
    architectures=("vanilla", "gpt"),
    lengths=(64, 256),
    seeds=(0, 1),
    score_test=True,
)


def learned(store, figures, metric="perplexity", rates=(None,)):
    """Return records by architecture and length with the figure of each seed, at each rate."""
    records = []
    for rate in rates:
        for planned in prepare(LEARNED, store).plan.cells:
            cell, ranking = planned.cell, planned.ranking
            value = figures[cell.architecture][cell.sequence_length][cell.seed]
            if rate is not None:
                cell = replace(cell, options={"learning_rate": rate})
                tuning = TuningChoice(learning_rate=rate, metric=metric, setting={})
                ranking = ranking.model_copy(update={"tuning": tuning})
                value = value / 10
            metrics = {"test": {metric: value}}
            record = make_record(cell=cell, metrics=metrics, ranking=ranking)
            records.append(stored(record))
    return records


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
    assert found.crossing.length.n == 2
    assert not found.noisy_lengths
    run, _ = decodings(noisy={0, 1, 2})
    found = cost_crossover(GENERATORS, store, run, "generation.step_seconds")
    assert found.noisy_lengths and "noisy" in str(found)


@pytest.mark.parametrize(
    ("request_", "measure", "label"),
    [
        (GENERATORS, "generation.step_seconds", "decode · vanilla · 128"),
        (PAIR, "training.tokens_per_second", "probe · vanilla · 128"),
    ],
)
def test_a_cell_that_failed_is_named(store, request_, measure, label):
    def run(prepared):
        return [
            make_record(cell=planned.cell, status=Status.OUT_OF_MEMORY, reason="took over 2 GiB")
            for planned in prepared.plan.cells
        ]

    with pytest.raises(RequestError, match=rf"{label} .* took over 2 GiB"):
        cost_crossover(request_, store, run, measure)


def test_a_value_of_zero_is_refused_in_words(store):
    run = probes("training.energy_joules_per_token", lambda name, length: 0.0)
    with pytest.raises(RequestError, match="must be above 0"):
        cost_crossover(PAIR, store, run, "training.energy_joules_per_token")


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


VARIANTS = """
name = "variants"
version = 1
summary = "an architecture and a variant of it"
model_size = "tiny"
seeds = [0, 1]
time_limit_seconds = 60
architectures = ["gpt", "vanilla"]
entries = [{ architecture = "vanilla", options = { positions = "rotary" } }]

[tasks.language_modeling]
source = "synthetic"
lengths = [64, 256]
steps = 2
positions_per_step = 512

[[probes]]
form = "decoder"
lengths = [128, 512]
examples_per_step = 1
rounds = 2
"""


@pytest.fixture
def variants(tmp_path, monkeypatch):
    folder = tmp_path / "plugins" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "variants.toml").write_text(VARIANTS)
    monkeypatch.setenv("BENCH_PATH", str(folder.parent))


ROTARY = "vanilla (positions=rotary)"
PERPLEXITY = {"gpt": 5.0, "vanilla": 4.0, ROTARY: 3.0}


def variant_records(store):
    request = replace(LEARNED, benchmark="variants", lengths=None, seeds=None)
    return [
        stored(
            make_record(
                cell=planned.cell,
                ranking=planned.ranking,
                metrics={
                    "test": {
                        "perplexity": PERPLEXITY[planned.ranking.entry] + planned.cell.seed / 10
                    }
                },
            )
        )
        for planned in prepare(request, store).plan.cells
    ]


@pytest.mark.usefixtures("variants")
@pytest.mark.parametrize(
    ("first", "second", "gap"),
    [("gpt", "vanilla", 1.0), ("vanilla", ROTARY, 1.0), (ROTARY, "gpt", -2.0)],
)
def test_a_variant_is_an_entry_of_its_own(store, first, second, gap):
    request = replace(LEARNED, benchmark="variants", lengths=None, seeds=None)
    request = replace(request, architectures=(first, second))
    found = score_crossover(request, variant_records(store), "perplexity")
    assert {at: one.value for at, one in found.differences.items()} == pytest.approx(
        {64: gap, 256: gap}
    )
    assert found.crossing.always == (second if gap > 0 else first)
    with pytest.raises(RequestError, match="Known: gpt, vanilla, vanilla"):
        score_crossover(replace(request, architectures=("gpt", "vanilla (positions=x)")), [])


@pytest.mark.usefixtures("variants")
def test_costs_are_those_of_the_named_entry(store):
    ran = []

    def run(prepared):
        ran.extend(planned.ranking.entry for planned in prepared.plan.cells)
        return [
            make_record(
                cell=planned.cell,
                ranking=planned.ranking,
                measurements={
                    "training": {
                        "tokens_per_second": measured(100 / PERPLEXITY[planned.ranking.entry])
                    }
                },
            )
            for planned in prepared.plan.cells
        ]

    request = replace(PAIR, benchmark="variants", architectures=("vanilla", "gpt"), lengths=None)
    assert cost_crossover(request, store, run).crossing.always == "vanilla"
    assert set(ran) == {"vanilla", "gpt"}
    request = replace(request, architectures=("vanilla", ROTARY))
    assert cost_crossover(request, store, run).crossing.always == ROTARY


def test_equal_scores_are_no_lead(store):
    vanilla = {64: (1.0, 1.0), 256: (2.0, 2.1)}
    gpt = {64: (1.0, 1.0), 256: (3.0, 3.1)}
    for better, worse in (("vanilla", "gpt"), ("gpt", "vanilla")):
        records = learned(store, {better: vanilla, worse: gpt})
        found = score_crossover(LEARNED, records, "perplexity")
        assert found.crossing.always == better and not found.crossing.changes
        assert "(equal at 64)" in str(found) and "gpt equal" in str(found)
    same = score_crossover(LEARNED, learned(store, {"vanilla": gpt, "gpt": gpt}), "perplexity")
    assert same.crossing.always is None and "have the same perplexity" in str(same)
