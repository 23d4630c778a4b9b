"""Tiers and eligibility: which submitted rows are reproduced, and which scores are ranked."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.tiers import Tier
from suite.api import Mode, Status
from suite.records.published import Folder
from suite.records.schema import Measurement
from tests.suite.analysis.final_runs import make_boards
from tests.suite.analysis.test_boards import VERSIONS, entry, seeds


def test_a_submission_is_reproduced_only_if_every_cell_agrees():
    theirs = seeds("vanilla", [0.50, 0.51, 0.52], folder=Folder.SUBMITTED, owner="them")
    (board,) = make_boards(theirs, VERSIONS)
    assert [(row.line, row.tier) for row in board.rows] == [
        ("vanilla, by them", Tier.SELF_REPORTED)
    ]

    def tier(*scores):
        again = seeds("vanilla", scores, folder=Folder.VERIFIED)
        (board,) = make_boards([*theirs, *again], VERSIONS)
        (row,) = board.rows
        return row.tier, row.note

    assert tier(0.505, 0.51, 0.52)[0] is Tier.REPRODUCED
    # Every cell must come out alike, within 2% of its own score and not of the row's interval.
    assert tier(0.505)[0] is Tier.SELF_REPORTED
    assert tier(0.505, 0.51, 0.49)[0] is Tier.SELF_REPORTED
    assert tier(0.485, 0.51, 0.52)[0] is Tier.SELF_REPORTED
    (board,) = make_boards([*theirs, *seeds("vanilla", [0.5, 0.51, 0.52])], VERSIONS)
    assert sorted(row.tier for row in board.rows) == [Tier.REFERENCE, Tier.REPRODUCED]


def test_a_self_reported_score_has_no_rank_and_takes_none():
    """Not even the best score is ranked before it is reproduced."""
    theirs = seeds("bert", [0.90, 0.91, 0.92], folder=Folder.SUBMITTED, owner="them")
    ours = seeds("vanilla", [0.50, 0.51, 0.52]) + seeds("longformer", [0.40, 0.41, 0.42])
    (board,) = make_boards([*theirs, *ours], VERSIONS)
    assert [(row.line, row.rank) for row in board.rows] == [
        ("vanilla", 1),
        ("longformer", 2),
        ("bert, by them", None),
    ]
    assert board.rows[-1].note == "not ranked until reproduced; untuned"
    again = seeds("bert", [0.90, 0.91, 0.92], folder=Folder.VERIFIED)
    (board,) = make_boards([*theirs, *ours, *again], VERSIONS)
    assert [row.rank for row in board.rows] == [1, 2, 3]


def test_the_worst_run_of_a_reproduced_cell_counts():
    """Nobody gains from a score at the upper end of the tolerance, by whichever run."""
    low, high = [0.500, 0.510, 0.520], [0.509, 0.519, 0.529]
    ours = seeds("vanilla", [0.501, 0.511, 0.521])
    for first, second in ((low, high), (high, low)):
        theirs = seeds("bert", first, folder=Folder.SUBMITTED, owner="them")
        again = seeds("bert", second, folder=Folder.VERIFIED, minutes=9)
        (board,) = make_boards([*theirs, *again, *ours], VERSIONS)
        assert [row.line for row in board.rows] == ["vanilla", "bert, by them"]
        assert board.rows[1].estimate.value == pytest.approx(0.510)
        assert "the worst run of each cell counts" in board.rows[1].note


def test_runs_on_other_data_reproduce_nothing():
    theirs = seeds("bert", [0.5] * 3, folder=Folder.SUBMITTED, owner="them")
    again = seeds("bert", [0.5] * 3, folder=Folder.VERIFIED, fingerprint="other")
    (board,) = make_boards([*theirs, *again], VERSIONS)
    assert [row.tier for row in board.rows] == [Tier.SELF_REPORTED]


def test_a_reproduction_has_no_rank_of_its_own():
    """It neither ranks beside the row that it reproduces, nor better, nor counts as an entry."""
    ours = seeds("vanilla", [0.50, 0.51, 0.52]) + seeds("longformer", [0.40, 0.41, 0.42])
    theirs = seeds("vanilla", [0.505, 0.515, 0.525], folder=Folder.SUBMITTED, owner="them")
    (alone,) = make_boards(ours, VERSIONS)
    (board,) = make_boards([*ours, *theirs], VERSIONS)
    told = {row.line: (row.rank, row.tier) for row in board.rows}
    assert told == {
        "vanilla": (1, Tier.REFERENCE),
        "longformer": (2, Tier.REFERENCE),
        "vanilla, by them": (None, Tier.REPRODUCED),
    }
    assert board.rows[-1].note.startswith("the entry is ranked as vanilla; ")
    assert board.rows[:2] == alone.rows
    assert board.detectable_difference == alone.detectable_difference


def test_of_two_submissions_of_an_entry_the_older_has_the_rank():
    first = seeds("bert", [0.50, 0.51, 0.52], folder=Folder.SUBMITTED, owner="us", minutes=1)
    second = seeds("bert", [0.505, 0.515, 0.525], folder=Folder.SUBMITTED, owner="them", minutes=2)
    again = seeds("bert", [0.50, 0.51, 0.52], folder=Folder.VERIFIED, minutes=9)
    (board,) = make_boards([*first, *second, *again], VERSIONS)
    told = {row.line: (row.rank, row.note.partition("; ")[0]) for row in board.rows}
    assert told == {
        "bert, by us": (1, "untuned"),
        "bert, by them": (None, "the entry is ranked as bert, by us"),
    }
    # A row of the project that cannot rank takes no rank from a submission.
    (board,) = make_boards([*second, *again, *seeds("bert", [0.50, 0.51])], VERSIONS)
    assert {row.line: row.rank for row in board.rows} == {"bert": None, "bert, by them": 1}


@pytest.mark.parametrize("kind", ["task", "architecture"])
def test_a_submission_of_a_newer_version_supersedes_no_record_of_others(kind):
    ours = seeds("vanilla", [0.50, 0.51, 0.52])
    (alone,) = make_boards(ours, VERSIONS)
    theirs = {"folder": Folder.SUBMITTED, "owner": "them", f"{kind}_version": 99}
    (board,) = make_boards([*ours, *seeds("vanilla", [0.9] * 3, **theirs)], VERSIONS)
    assert board.rows[0] == alone.rows[0]
    assert [(row.line, row.rank) for row in board.rows] == [
        ("vanilla", 1),
        ("vanilla, by them", None),
    ]


def test_versions_of_an_architecture_that_others_submit_are_theirs_alone():
    """Two submitters may give different architectures one name."""
    first = seeds("novel", [0.5] * 3, folder=Folder.SUBMITTED, owner="us")
    second = {"folder": Folder.SUBMITTED, "owner": "them", "architecture_version": 9}
    former = seeds("novel", [0.1] * 3, folder=Folder.SUBMITTED, owner="them", minutes=9)
    (board,) = make_boards([*first, *former, *seeds("novel", [0.6] * 3, **second)], VERSIONS)
    standing = {row.line: row.estimate.value for row in board.rows if not row.superseded_by}
    assert standing == pytest.approx({"novel, by us": 0.5, "novel, by them": 0.6})


def test_an_interval_does_not_grant_reproduction():
    theirs = seeds("vanilla", [0.1, 0.9, 0.5], folder=Folder.SUBMITTED, owner="them")
    again = seeds("vanilla", [0.3, 0.9, 0.5], folder=Folder.VERIFIED)
    (board,) = make_boards([*theirs, *again], VERSIONS)
    (row,) = board.rows
    assert row.estimate.high - row.estimate.value > 0.2
    assert row.tier is Tier.SELF_REPORTED and "2 of 3 cells reproduced" in row.note


def test_costs_are_never_reproduced_on_a_board():
    def probe(folder, number):
        made = entry("vanilla", mode=Mode.PROBE, task=None, source=None, task_version=None,
                     round=number, steps=0, folder=folder)  # fmt: skip
        value = Measurement(value=9.0, n=1, samples=(9.0,), quartiles=None, method="")
        update = {"measurements": {"training": {"tokens_per_second": value}}, "metrics": {}}
        return dataclasses.replace(made, record=made.record.model_copy(update=update))

    theirs = [probe(Folder.SUBMITTED, number) for number in range(3)]
    again = [probe(Folder.VERIFIED, number) for number in range(3)]
    (board,) = make_boards([*theirs, *again], VERSIONS)
    (row,) = board.rows
    assert row.tier is Tier.SELF_REPORTED and "reproduced" not in row.note


def with_facts(entries, **facts):
    """Return the entries with other ranking facts."""
    return [
        dataclasses.replace(
            one,
            record=one.record.model_copy(
                update={"ranking": one.record.ranking.model_copy(update=facts)}
            ),
        )
        for one in entries
    ]


@pytest.mark.parametrize(
    ("needed", "reason"),
    [((), "2 seeds: needs at least 3"), ((0, 1), "2 seeds: needs at least 3"),
     ((0, 1, 2), "2 of 3 seeds: a rank needs all")],
)  # fmt: skip
def test_ranking_needs_three_seeds(needed, reason):
    two = with_facts(seeds("bert", [0.80, 0.81]), seeds=needed)
    (board,) = make_boards(seeds("vanilla", [0.50, 0.51, 0.52]) + two, VERSIONS)
    told = {row.line: (row.rank, row.note) for row in board.rows}
    assert told["vanilla"][0] == 1
    assert told["bert"][0] is None and told["bert"][1].startswith(reason)


def test_a_rank_needs_all_seeds_of_the_benchmark():
    """Otherwise an entry gains by leaving out its worst seeds."""
    values = [0.5, 0.51, 0.52, 0.49, 0.5]
    whole = with_facts(seeds("vanilla", values), seeds=range(5))
    picked = with_facts(seeds("bert", [0.80, 0.81, 0.82]), seeds=range(5))
    failed = with_facts(seeds("longformer", [0.8] * 5), seeds=range(5))
    bad = failed[4].record.model_copy(update={"status": Status.DIVERGED, "metrics": {}})
    failed[4] = dataclasses.replace(failed[4], record=bad)
    (board,) = make_boards(whole + picked + failed, VERSIONS)
    told = {row.line: (row.rank, row.note.partition("; ")[0]) for row in board.rows}
    assert told == {
        "vanilla": (1, "untuned"),
        "bert": (None, "3 of 5 seeds: a rank needs all"),
        "longformer": (None, "4 of 5 seeds: a rank needs all"),
    }
