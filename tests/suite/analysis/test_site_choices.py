"""The choices of the site: sources of costs, predicted costs, abilities and the history."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.boards import rank_comparisons
from suite.analysis.comparisons import compare, in_precedence
from suite.analysis.diagnostics import abilities, find_diagnostics
from suite.analysis.frame import to_figures
from suite.analysis.history import history
from suite.analysis.predictions import predicted_costs
from suite.analysis.tradeoffs import cost_sources, tradeoffs
from suite.records.measures import QUALITY
from tests.builders.costs import MEMORY, SPEED, cost
from tests.builders.records import FINAL, REGISTRY, make_record, stored, with_fields
from tests.suite.analysis.diagnostic_records import trained


def scored(entry, score, seed=0, commit="aaaaaaaaa", length=128, minutes=0, **environment):
    """Return a final run without costs."""
    cell = dataclasses.replace(
        FINAL, architecture=entry, seed=seed, options={}, sequence_length=length
    )
    environment = {"processor": "abacus", "commit": commit, **environment}
    return stored(
        make_record(
            minutes=minutes,
            cell=cell,
            metrics={"test": {"entity_f1": score}},
            data={"fingerprint": "f"},
            environment=environment,
        )
    )


def probed(entry, lengths, **fields):
    """Return probes of batch 1 whose step takes a microsecond a token, and a mebibyte a token."""
    records = []
    for length in lengths:
        measures = {"training.step_seconds": 1e-6 * length, MEMORY: 2.0**20 * length}
        made = cost(entry, 1.0, length=length, measures=measures, **fields)
        records.append(with_fields(made, cell=dataclasses.replace(made.record.cell, batch_size=1)))
    return records


def test_predicted_costs_lie_between_and_beyond_the_measured_lengths_up_to_four_times_the_longest():
    (comparison,) = compare(probed("vanilla", (512, 1_024, 2_048)))
    found = {(one.measure, one.sequence_length): one for one in predicted_costs(comparison, {700})}
    lengths = {length for _, length in found}
    assert min(lengths) == 700 and max(lengths) == 8_192 and 1_536 in lengths
    assert not lengths & {512, 1_024, 2_048}, "measured lengths are not predicted"
    speed, memory = found[SPEED, 700], found[MEMORY, 8_192]
    assert speed.value == pytest.approx(1e6, rel=0.1) and speed.low < speed.value < speed.high
    assert memory.value == pytest.approx(2.0**20 * 8_192, rel=0.1)
    assert speed.batch_size == 1


def test_nothing_is_predicted_of_a_single_length_or_of_several_batch_sizes():
    (alone,) = compare(probed("vanilla", (512,)))
    (several,) = compare([cost("vanilla", 1.0, length=n) for n in (512, 1_024)])
    assert not [*predicted_costs(alone, {700})] and not [*predicted_costs(several, {700})]


def test_the_costs_of_a_training_are_those_of_its_form_with_most_of_its_entries():
    runs = [scored(name, 0.5) for name in ("vanilla", "longformer")]
    few = [dataclasses.replace(one, machine="single") for one in probed("vanilla", (512, 1_024))]
    many = [one for name in ("vanilla", "longformer") for one in probed(name, (512,))]
    jax = [
        with_fields(
            dataclasses.replace(one, machine="jax"),
            cell=dataclasses.replace(one.record.cell, backend="jax"),
        )
        for one in many
    ]
    comparisons = in_precedence(compare([*runs, *few, *many, *jax]))
    sources = cost_sources(comparisons, rank_comparisons(comparisons))
    (training,) = (n for n, one in enumerate(comparisons) if one.metric)
    assert [comparisons[n].key.machine for n in sources[training]] == ["here"]
    assert all(not found for n, found in enumerate(sources) if n != training)


def test_a_front_is_of_one_length_and_takes_the_costs_of_the_source():
    runs = [
        scored(name, score, length=length)
        for length in (512, 1_024)
        for name, score in (("vanilla", 0.5), ("longformer", 0.7), ("bert", 0.4))
    ]
    costs = [
        cost(name, speed, length=512)
        for name, speed in (("vanilla", 9.0), ("longformer", 1.0), ("bert", 2.0))
    ]
    comparisons = in_precedence(compare([*runs, *costs]))
    sources = cost_sources(comparisons, rank_comparisons(comparisons))
    found = [*tradeoffs(comparisons, sources, to_figures(comparisons), [SPEED])]
    ((front, length, source),) = ((one.front, one.length, one.source) for one in found)
    assert front == ["longformer", "vanilla"] and length == 512
    assert comparisons[source].metric is None


def test_an_entry_has_an_ability_if_half_of_its_seeds_solve_the_task():
    task = "associative_recall"
    records = [
        trained(task, name, seed, accuracy, 64)
        for name, scores in (("vanilla", (1.0, 1.0, 0.2)), ("mamba2", (1.0, 0.2, 0.2)))
        for seed, accuracy in enumerate(scores)
    ]
    versions = {name: one.version for name, one in REGISTRY.tasks.plugins.items()}
    diagnostics = find_diagnostics(compare(records, versions), REGISTRY.tasks.plugins)
    found = abilities(diagnostics)
    assert found["recall"]["vanilla"].solves and not found["recall"]["mamba2"].solves
    assert found["recall"]["mamba2"].text == ("1 of 3 seeds solve Associative recall at length 64")
    assert found["state"] == {}


def test_the_history_has_the_mean_of_each_commit_in_a_series_of_several():
    runs = [
        *(scored("vanilla", score, seed) for seed, score in enumerate((0.4, 0.6))),
        *(scored("vanilla", 0.8, seed, "bbbbbbbbb", minutes=9_000) for seed in range(2)),
        scored("longformer", 0.1),
        scored("vanilla", 0.9, 2, "bbbbbbbbb", minutes=9_000, dirty=True),
    ]
    (comparison,) = compare(runs)
    found = {one.commit: one for one in history(comparison, [SPEED])}
    assert {one.entry for one in found.values()} == {"vanilla"}
    assert {one.measure for one in found.values()} == {QUALITY}
    means = {commit: one.estimate.value for commit, one in found.items()}
    assert means == pytest.approx({"aaaaaaa": 0.5, "bbbbbbb": 0.8, "bbbbbbb+": 0.9})
    assert found["aaaaaaa"].day < found["bbbbbbb"].day
