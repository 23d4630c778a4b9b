"""Boards: what is ranked together, which scores are ranked, and the content of each row."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.boards import board_keys
from suite.api import Mode, Status
from suite.matrix.planned_cells import ranking_facts
from suite.records.benchmarks import find_benchmark
from suite.records.published import StoredRecord
from suite.records.schema import Conformance, Measurement, TuningChoice
from tests.builders.boards import TASKS, UNREAD, VERSIONS, entry, seeds
from tests.builders.records import FINAL, MINIATURE, make_record, with_fields
from tests.suite.analysis.final_runs import make_boards


def test_costs_come_from_the_machine_and_threads_with_most_records():
    def took(seconds, seed, machine="here", threads=1):
        one = entry(seed=seed, machine=machine, threads=threads)
        return with_fields(one, worker_seconds=seconds)

    two, other = [took(60.0, 0), took(70.0, 1)], took(600.0, 2, machine="elsewhere")
    for odd_one in (other, took(600.0, 2, threads=2)):
        (board,) = make_boards([odd_one, *two], VERSIONS)
        assert [row.worker_seconds for row in board.rows] == [65.0]
    assert len(board.rows[0].records) == 3


def test_minutes_exclude_resumed_trainings():
    whole, resumed = entry(seed=0), entry(seed=1)
    resumed = with_fields(resumed, worker_seconds=1.0, details={"resumed_at_steps": [700]})
    (board,) = make_boards([whole, resumed], VERSIONS)
    assert [row.worker_seconds for row in board.rows] == [9.0]
    (board,) = make_boards([resumed], VERSIONS)
    assert [row.worker_seconds for row in board.rows] == [None]


def test_a_noisy_entry_that_shares_a_rank_has_a_note():
    surely = seeds("vanilla", [0.800, 0.801, 0.802]) + seeds("bert", [0.780, 0.781, 0.782])
    noisy = seeds("longformer", [0.60, 0.79, 0.81])
    (board,) = make_boards(surely + noisy, VERSIONS)
    told = {row.entry: (row.rank, "varies too much" in row.note) for row in board.rows}
    assert told == {"vanilla": (1, False), "longformer": (1, True), "bert": (3, False)}


def test_an_interval_without_example_variance_has_a_note():
    entries = seeds("vanilla", [0.5, 0.6, 0.7]) + seeds("bert", [0.5, 0.6, 0.7], num_parts=0)
    (board,) = make_boards(entries, VERSIONS)
    notes = {row.entry: row.note for row in board.rows}
    assert "over seeds alone" in notes["bert"] and "seeds alone" not in notes["vanilla"]


def tuned(entries):
    """Return the entries with a learning rate that tuning chose."""
    choice = TuningChoice(learning_rate=3e-3, metric="validation entity_f1", setting={})
    return [
        with_fields(one, ranking=ranking_facts(one.record.cell, TASKS["ner"], choice, MINIATURE))
        for one in entries
    ]


def test_an_untuned_entry_is_marked_and_named_by_a_rate_that_was_asked_for():
    rate = {"learning_rate": 3e-3}
    entries = tuned(seeds("vanilla", [0.8] * 3, options=rate))
    entries += seeds("bert", [0.6] * 3, options=rate) + seeds("bert", [0.5] * 3)
    (board,) = make_boards(entries, VERSIONS)
    assert {row.entry: row.note for row in board.rows} == {
        "vanilla": "",
        "bert (learning_rate=0.003)": "untuned",
        "bert": "untuned",
    }


def test_entries_that_are_not_separated_share_a_rank():
    entries = seeds("vanilla", [0.50, 0.51, 0.52]) + seeds("bert", [0.80, 0.81, 0.82])
    entries += seeds("longformer", [0.82, 0.80, 0.815])
    (board,) = make_boards(entries, VERSIONS)
    assert [(row.entry, row.rank) for row in board.rows] == [
        ("longformer", 1),
        ("bert", 1),
        ("vanilla", 3),
    ]
    assert board.rows[0].estimate.n == 3
    leader, tied, apart = board.rows
    assert 0 < leader.estimate.value - tied.estimate.value < tied.detectable_difference < 0.3
    assert board.rows[0].detectable_difference is None is apart.detectable_difference
    assert 0 < board.detectable_difference < 0.3


def test_intervals_of_shares_never_pass_1():
    shares = seeds("vanilla", [0.98, 0.995, 0.9999], num_parts=0)
    entries = tuned(shares + seeds("bert", [1.0, 1.0, 1.0]))
    (board,) = make_boards(entries, VERSIONS)
    ends = {row.entry: (row.estimate.low, row.estimate.high) for row in board.rows}
    # The margin of three seeds, 4.303 × 0.00599, is 3.11 on the logit scale; the mean is 4.776.
    assert ends["vanilla"] == pytest.approx((0.8417, 0.9996), abs=1e-4)
    assert ends["bert"][1] == 1 and 0.5 < ends["bert"][0] < 0.52  # 4 parts, Wilson


def test_the_number_of_test_examples_gives_the_interval_of_1():
    data = {"fingerprint": "f", "examples": {"test": 996}}
    entries = [with_fields(one, data=data) for one in tuned(seeds("vanilla", [1.0] * 3))]
    (board,) = make_boards(entries, VERSIONS)
    assert board.rows[0].estimate.low == pytest.approx(996 / (996 + 1.96**2), abs=1e-5)


def test_parts_are_pseudo_values_of_the_score_without_each():
    """Scores without a part differ 19 times less than those of 20 parts."""

    def of_parts(spread):
        parts = [0.5 + spread * (-1) ** part for part in range(20)]
        made = seeds("vanilla", [0.5, 0.501, 0.502])
        reports = {"test": {"without_part": {"entity_f1": parts}}}
        (board,) = make_boards([with_fields(one, reports=reports) for one in made], VERSIONS)
        return board.rows[0].estimate

    alone, wide = of_parts(0.0), of_parts(0.01)
    assert wide.high - wide.low > 10 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("options", "reference"),
    [({}, "vanilla"), ({"positions": "rotary"}, "vanilla (positions=rotary)")],
)
def test_a_row_says_by_how_much_an_entry_breaks_parity(options, reference):
    def sized(architecture, mixing, **fields):
        return [
            with_fields(one, parameter_counts={"mixing": mixing})
            for one in seeds(architecture, [0.5, 0.51, 0.52], **fields)
        ]

    made = sized("bert", 1_090) + sized("longformer", 1_254)
    made += sized("vanilla", 1_000, options=options)
    (board,) = make_boards(tuned(made), VERSIONS)
    assert {row.entry: row.note for row in board.rows} == {
        reference: "",
        "bert": "",
        "longformer": "1.25 times the mixing parameters of vanilla",
    }


def test_the_boards_of_a_task_are_in_the_order_of_lengths_whatever_its_tables():
    benchmark = find_benchmark("long_text", ())
    places = [(key.length, key.steps) for key in board_keys(benchmark)]
    assert len(places) == 8 and places == sorted(places)


def test_superseded_rows_name_their_successor():
    entries = [entry(protocol=1, f1=0.9), entry(f1=0.4), entry(f1=0.5, minutes=5)]
    newest = FINAL.architecture_version
    entries.append(entry("bert", architecture_version=newest))
    entries.append(entry("bert", architecture_version=newest - 1))
    (board,) = make_boards(entries, VERSIONS)
    told = {row.superseded_by for row in board.rows if row.superseded_by}
    assert len(board.rows) == 5 and len(told) == 2
    assert f"run {entries[2].record.run_id}" in told
    current = [row for row in board.rows if not row.superseded_by]
    assert [row.estimate.value for row in current if row.entry == "vanilla"] == [0.5]


@pytest.mark.parametrize("older", [{"protocol": 1}, {"task_version": FINAL.task_version - 1}])
def test_older_versions_are_superseded(older):
    entries = seeds("vanilla", [0.5, 0.5, 0.5]) + seeds("bert", [0.9, 0.9, 0.9], **older)
    (board,) = make_boards(entries, VERSIONS)
    assert [(row.entry, row.rank) for row in board.rows if not row.superseded_by] == [
        ("vanilla", 1)
    ]
    former = [row for row in board.rows if row.superseded_by]
    assert [(row.entry, row.rank, row.estimate.value) for row in former] == [("bert", None, 0.9)]
    assert f"task version {FINAL.task_version}" in former[0].superseded_by
    # The versions in force come from the code too, so a lone old entry has no rank.
    (alone,) = make_boards(seeds("bert", [0.9, 0.9, 0.9], **older), VERSIONS)
    assert [(row.rank, bool(row.superseded_by)) for row in alone.rows] == [(None, True)]


def test_a_failed_run_has_a_row_without_a_score():
    cell = dataclasses.replace(FINAL, architecture="bert", options={})
    bad = make_record(Status.OUT_OF_MEMORY, 0, cell, reason="16 GiB")
    (board,) = make_boards([entry(), StoredRecord(bad, "here", UNREAD)], VERSIONS)
    assert board.rows[1].estimate is None and board.rows[1].note == "out_of_memory: 16 GiB; untuned"


def test_probes_are_ranked_on_one_machine_by_ratio():
    def probe(architecture, speed, number, machine):
        made = entry(architecture, mode=Mode.PROBE, task=None, source=None, task_version=None,
                     round=number, steps=0, machine=machine)  # fmt: skip
        value = Measurement(value=speed, n=1, samples=(speed,), quartiles=None, method="")
        measured = {"training": {"tokens_per_second": value}}
        return with_fields(made, measurements=measured, metrics={})

    entries = [
        probe(architecture, speed + number, number, machine)
        for machine in ("here", "there")
        for architecture, speed in (("vanilla", 100.0), ("longformer", 400.0))
        for number in range(3)
    ]
    boards = make_boards(entries, VERSIONS)
    assert [board.key.machine for board in boards] == ["here", "there"]
    first = boards[0].rows[0]
    assert (first.entry, first.rank) == ("longformer", 1)
    assert first.estimate.value == pytest.approx((400 * 401 * 402) ** (1 / 3))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"benchmark": None}, "only final runs of a ranked benchmark are ranked"),
        ({"benchmark": None, "scores_test": False}, "validation scores are not ranked"),
    ],
)
def test_other_runs_have_no_rank_and_the_best_comes_first(changes, reason):
    made = seeds("vanilla", [0.50, 0.51, 0.52], **changes) + seeds("bert", [0.8, 0.8], **changes)
    split = "test" if changes.get("scores_test", True) else "validation"
    entries = [
        with_fields(one, metrics={split: one.record.metrics["test"]}, reports={}) for one in made
    ]
    (board,) = make_boards(entries, VERSIONS)
    assert board.detectable_difference is None
    assert [(row.entry, row.rank) for row in board.rows] == [("bert", None), ("vanilla", None)]
    assert all(row.note.startswith(f"{reason}; ") for row in board.rows)


def test_every_superseded_run_is_in_a_row():
    older = [
        entry(f1=f1, minutes=minutes, task_version=version)
        for minutes, (f1, version) in enumerate([(0.1, 1), (0.2, 2), (0.3, 2)])
    ]
    (board,) = make_boards([*older, entry(f1=0.5, minutes=9)], VERSIONS)
    former = [row for row in board.rows if row.superseded_by]
    assert sorted(run for row in former for run in row.run_ids) == sorted(
        one.record.run_id for one in older
    )
    assert sorted(row.estimate.value for row in former) == [0.1, 0.2, 0.3]


def test_an_untuned_run_does_not_join_a_tuned_entry():
    rate = {"learning_rate": 3e-3}
    entries = tuned(seeds("vanilla", [0.8] * 3, options=rate)) + seeds("vanilla", [0.5] * 3)
    (board,) = make_boards(entries, VERSIONS)
    assert {row.entry: row.estimate.value for row in board.rows} == {
        "vanilla": pytest.approx(0.8),
        "vanilla (untuned)": pytest.approx(0.5),
    }


def test_an_interrupted_run_never_supersedes_another():
    good = entry(f1=0.5, threads=2)
    cut = entry(f1=0.5, threads=4, minutes=9)
    interrupted = with_fields(cut, status=Status.INTERRUPTED, metrics={})
    (board,) = make_boards([good, interrupted], VERSIONS)
    (row,) = [row for row in board.rows if not row.superseded_by]
    assert row.estimate.value == 0.5 and row.run_ids == [good.record.run_id]


def test_one_version_of_an_architecture_stands_at_all_lengths():
    longer = {"sequence_length": 2 * FINAL.sequence_length, "batch_size": FINAL.batch_size // 2}
    old = seeds("bert", [0.8] * 3, architecture_version=1, **longer)
    new = seeds("bert", [0.7] * 3, architecture_version=2)
    _, board = make_boards([*old, *new], VERSIONS)
    assert [row.superseded_by.endswith("architecture version 2") for row in board.rows] == [True]
    tuned_old = tuned(seeds("vanilla", [0.8] * 3, architecture_version=1))
    (board,) = make_boards([*tuned_old, *seeds("vanilla", [0.7] * 3)], VERSIONS)
    assert [row.entry for row in board.rows if not row.superseded_by] == ["vanilla"]


def with_facts(entries, **facts):
    """Return the entries with other ranking facts."""
    return [
        with_fields(one, ranking=one.record.ranking.model_copy(update=facts)) for one in entries
    ]


@pytest.mark.parametrize(
    ("needed", "reason"),
    [((), "2 seeds: needs at least 3"), ((0, 1), "2 seeds: needs at least 3"),
     ((0, 1, 2), "2 of 3 seeds: a rank needs all")],
)  # fmt: skip
def test_ranking_needs_three_seeds(needed, reason):
    two = with_facts(seeds("bert", [0.80, 0.81]), seeds=needed)
    (board,) = make_boards(seeds("vanilla", [0.50, 0.51, 0.52]) + two, VERSIONS)
    told = {row.entry: (row.rank, row.note) for row in board.rows}
    assert told["vanilla"][0] == 1
    assert told["bert"][0] is None and told["bert"][1].startswith(reason)


def test_a_rank_needs_all_seeds_of_the_benchmark():
    """Otherwise an entry gains by leaving out its worst seeds."""
    values = [0.5, 0.51, 0.52, 0.49, 0.5]
    whole = with_facts(seeds("vanilla", values), seeds=range(5))
    picked = with_facts(seeds("bert", [0.80, 0.81, 0.82]), seeds=range(5))
    failed = with_facts(seeds("longformer", [0.8] * 5), seeds=range(5))
    failed[4] = with_fields(failed[4], status=Status.DIVERGED, metrics={})
    (board,) = make_boards(whole + picked + failed, VERSIONS)
    told = {row.entry: (row.rank, row.note.partition("; ")[0]) for row in board.rows}
    assert told == {
        "vanilla": (1, "untuned"),
        "bert": (None, "3 of 5 seeds: a rank needs all"),
        "longformer": (None, "4 of 5 seeds: a rank needs all"),
    }


def with_conformance(runs, *stated, track="standard"):
    """Return runs whose records state these results of the kit."""
    found = []
    for run, conformance in zip(runs, stated, strict=True):
        ranking = run.record.ranking.model_copy(update={"track": track})
        found.append(with_fields(run, conformance=conformance, ranking=ranking))
    return found


PASSED, UNKNOWN = Conformance(kit=1), Conformance(kit=0)
FAILED = Conformance(kit=1, failed=("order matters", "no look ahead"))


@pytest.mark.parametrize(
    ("stated", "track", "rank", "note"),
    [
        ((PASSED, FAILED, PASSED), "standard", None, "kit: no look ahead, order matters"),
        ((PASSED, PASSED, None), "standard", None, "the conformance kit did not check its code"),
        ((UNKNOWN, PASSED, PASSED), "standard", 1, "conformance unknown"),  # an older schema
        ((None, PASSED, PASSED), "open", 1, ""),
        ((FAILED, PASSED, PASSED), "open", 1, ""),
        ((UNKNOWN, PASSED, PASSED), "open", 1, ""),
    ],
)
def test_the_standard_track_ranks_code_that_passes_the_conformance_kit(stated, track, rank, note):
    others = with_conformance(seeds("vanilla", [0.50, 0.51, 0.52]), *[PASSED] * 3, track=track)
    runs = with_conformance(seeds("bert", [0.80, 0.81, 0.82]), *stated, track=track)
    (board,) = make_boards([*others, *runs], VERSIONS)
    bert, vanilla = sorted(board.rows, key=lambda row: row.entry)
    assert (bert.rank, vanilla.rank) == (rank, 2 if rank else 1)
    assert bert.estimate.value == pytest.approx(0.81)
    assert note in bert.note if note else "conformance" not in bert.note
    assert "conformance" not in vanilla.note
