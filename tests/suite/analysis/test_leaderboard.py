"""The leaderboard of a benchmark: selection of records, winners, core table, verdicts, changes."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from suite.analysis.leaderboard import Agreement
from suite.api import Form
from suite.matrix.registry import load_registry
from suite.records.naming import new_run_id
from tests.builders.records import MOMENT, with_fields
from tests.suite.analysis.final_runs import (
    SCALE,
    SMALL,
    benchmark_folder,
    board_of,
    by_architecture,
    final_runs,
)

SCORES = {"vanilla": 0.80, "bert": 0.70, "identity": 0.40}


@pytest.fixture
def folder(tmp_path):
    return benchmark_folder(tmp_path)


def runs(folder, values=SCORES, **fields):
    registry = load_registry((str(folder),))
    return final_runs(registry, by_architecture(values), list(values), **fields)


def test_the_winner_of_each_length_has_its_gap_ties_and_detectable_difference(folder):
    board = board_of(runs(folder, {**SCORES, "longformer": 0.799}), folder)
    winner = board.winners[0]
    assert [won.place for won in board.winners] == [
        ("ner", 128),
        ("ner", 512),
        ("sentiment", 128),
        ("language_modeling", 64),
    ]
    assert winner.leader == "vanilla" and list(winner.tied) == ["longformer"]
    assert winner.tied["longformer"] > winner.gap  # the difference that would have separated it
    assert winner.next == "longformer" and winner.gap == pytest.approx(0.001)
    assert winner.gap < winner.detectable_difference < 0.1
    assert winner.estimate.low < 0.8 < winner.estimate.high


def test_a_loss_is_won_by_the_smallest(folder):
    *_, winner = board_of(runs(folder), folder).winners
    assert winner.place[0] == "language_modeling" and winner.leader == "identity"
    assert winner.next == "vanilla" and winner.gap == pytest.approx(0.4)


def test_an_entry_needs_every_cell_of_a_block(folder):
    def without(found):
        cell = found.record.cell
        return (cell.architecture, cell.task, cell.sequence_length) != ("bert", "ner", 512)

    board = board_of(filter(without, runs(folder)), folder)
    encoder = board.blocks[0]
    assert encoder.form is Form.ENCODER and encoder.tasks == ["ner", "sentiment"]
    assert [row.entry for row in encoder.rows] == ["vanilla", "identity"]
    assert encoder.incomplete == {"bert": [("ner", 512)]}
    table = {entry: sorted(by_length) for entry, by_length in board.tasks[0].rows.items()}
    assert table == {"vanilla": [128, 512], "identity": [128, 512], "bert": [128]}


def test_two_seeds_of_a_cell_are_no_cell(folder):
    def first_two(found):
        return found.record.cell.architecture != "bert" or found.record.cell.seed < 2

    encoder = board_of(filter(first_two, runs(folder)), folder).blocks[0]
    assert "bert" in encoder.incomplete and "bert" not in [row.entry for row in encoder.rows]


def test_there_is_no_score_without_a_reference(folder):
    encoder = board_of(runs(folder), folder).blocks[0]
    assert [row.score for row in encoder.rows] == [None] * 3
    assert encoder.unscaled == [("ner", 128), ("ner", 512), ("sentiment", 128)]
    assert [row.mean_rank for row in encoder.rows] == [1, 2, 3]
    assert encoder.rows[0].by_task == pytest.approx({"ner": 0.8, "sentiment": 0.8})


def test_the_score_is_the_mean_over_lengths_and_then_over_tasks(tmp_path):
    folder = benchmark_folder(tmp_path, SMALL + SCALE)
    encoder, decoder = board_of(runs(folder), folder).blocks
    score = encoder.rows[0].score
    # NER: 100 at length 128 and 160 at length 512; sentiment: 75.
    assert score.value == pytest.approx(((100 + 160) / 2 + 75) / 2)
    # A seed changes NER by 0.125 and 0.2, and sentiment by 0.25.
    deviation = ((0.125 + 0.2) / 2 + 0.25) / 2
    assert score.high - score.value == pytest.approx(4.3027 * deviation / 3**0.5, rel=1e-3)
    # For a loss the reference is below the trivial score.
    losses = {row.entry: row.score.value for row in decoder.rows}
    assert losses["vanilla"] == pytest.approx(100 * (5 - 0.8) / 3)
    assert losses["identity"] == max(losses.values())


def test_a_score_of_equal_seeds_has_the_interval_of_its_test_examples(tmp_path):
    """Otherwise a block whose seeds all score the same would have a score without an error."""
    folder = benchmark_folder(tmp_path, SMALL + SCALE)
    registry = load_registry((str(folder),))
    equal = final_runs(registry, by_architecture(SCORES, spread=0.0), list(SCORES))
    counted = [
        with_fields(one, data={**one.record.data, "examples": {"test": 200}}) for one in equal
    ]
    plain, found = (board_of(runs, folder).blocks[0].rows[0].score for runs in (equal, counted))
    assert plain.high == pytest.approx(plain.low)
    # Wilson's half width at 0.8 of 200 is 0.0552; a unit is 125, 200 and 250 points of score.
    margin = 0.0552 * ((125 / 4 + 200 / 4) ** 2 + (250 / 2) ** 2) ** 0.5
    assert found.high - found.value == pytest.approx(margin, rel=2e-3)


def test_only_final_runs_on_the_data_of_the_benchmark_are_on_its_leaderboard(folder):
    tests = runs(folder)
    others = [
        *runs(folder, {"longformer": 0.9}, source="files:mine", tasks=("ner",)),
        *runs(folder, {"longformer": 0.9}, steps=11),
        *runs(folder, {"longformer": 0.9}, steps=11, score_test=True),
        *runs(folder, {"longformer": 0.9}, options={"tag_chain": "true"}, tasks=("ner",)),
    ]
    assert len(others) > 9
    assert dataclasses.replace(board_of(tests, folder), boards={}) == dataclasses.replace(
        board_of([*tests, *others], folder), boards={}
    )


def test_the_mean_rank_is_the_mean_over_lengths_and_then_over_tasks(folder):
    def value(planned):
        cell = planned.cell
        better = "vanilla" if cell.task == "ner" else "bert"
        return (0.8 if cell.architecture == better else 0.5) + 0.001 * cell.seed

    registry = load_registry((str(folder),))
    encoder = board_of(final_runs(registry, value, ("vanilla", "bert")), folder).blocks[0]
    # Vanilla has rank 1 at both lengths of NER, and rank 2 at the length of sentiment.
    assert {row.entry: row.mean_rank for row in encoder.rows} == {"vanilla": 1.5, "bert": 1.5}


def on_data(found, fingerprint, minutes=0):
    """Return runs on other data, later by some minutes."""
    return [
        with_fields(
            one,
            run_id=new_run_id(MOMENT + timedelta(minutes=minutes)),
            data={"fingerprint": f"{one.record.cell.task} {fingerprint}"},
        )
        for one in found
    ]


def test_only_runs_on_the_data_that_the_file_states_are_on_the_leaderboard(folder):
    """Neither earlier runs nor more entries change the data, at any length."""
    own = runs(folder)
    others = on_data(runs(folder, {**SCORES, "longformer": 0.9}), "other", minutes=-5)
    board, alone = board_of([*others, *own], folder), board_of(own, folder)
    assert board.winners == alone.winners and board.blocks == alone.blocks
    assert {found.fingerprint for found in board.boards.values()} == {
        "ner", "sentiment", "language_modeling"
    }  # fmt: skip
    assert not board_of(others, folder).boards


def test_a_leaderboard_without_records_is_empty(folder):
    board = board_of([], folder)
    assert not board.winners and not board.blocks and not board.tasks and board.latest is None


def test_an_expected_figure_agrees_if_the_interval_lies_within_the_tolerance(tmp_path):
    figure = """
[[expected]]
task = "ner"
architecture = "{name}"
length = 128
metric = "entity_f1"
value = {value}
tolerance = {tolerance}
source = "a paper"
"""
    content = SMALL + "".join(
        figure.format(name=name, value=value, tolerance=tolerance)
        for name, value, tolerance in [
            ("vanilla", 0.81, 0.02),
            ("vanilla", 0.85, 0.02),
            ("vanilla", 0.80, 0.0001),
            ("bert", 0.7, 0.1),
            ("longformer", 0.7, 0.1),
        ]
    )
    folder = benchmark_folder(tmp_path, content)
    two_seeds = [
        found
        for found in runs(folder)
        if found.record.cell.architecture != "bert" or found.record.cell.seed
    ]
    board = board_of(two_seeds, folder)
    assert [verdict.agreement for verdict in board.verdicts] == [
        Agreement.AGREES,
        Agreement.DIFFERS,
        Agreement.UNDECIDED,
        Agreement.UNDECIDED,
        Agreement.NOT_MEASURED,
    ]
    assert board.verdicts[0].measured.value == pytest.approx(0.8)


def test_changes_name_the_winners_that_differ_and_the_entries_that_came_and_went(tmp_path):
    folder = benchmark_folder(tmp_path)
    before = runs(folder, {"vanilla": 0.8, "bert": 0.7})
    benchmark_folder(folder, SMALL.replace("version = 1", "version = 2"))
    same = runs(folder, {"vanilla": 0.8, "longformer": 0.7})
    changes = board_of([*before, *same], folder).changes
    assert changes.before == "small-1"
    assert changes.joined == ["longformer"] and changes.left == ["bert"]
    assert set(changes.winners) == {("language_modeling", 64)}  # the smaller loss wins
    other = runs(folder, {"vanilla": 0.8, "longformer": 0.9})
    changes = board_of([*before, *other], folder).changes
    assert changes.winners["ner", 128] == (["vanilla"], ["longformer"])
    assert board_of(other, folder).changes.before is None


def test_superseded_rows_are_counted_and_are_in_no_table(folder):
    former = [
        with_fields(found, cell=dataclasses.replace(found.record.cell, architecture_version=0))
        for found in runs(folder, {"vanilla": 0.1})
    ]
    board = board_of([*former, *runs(folder)], folder)
    assert board.winners == board_of(runs(folder), folder).winners
    assert board.changes.superseded == {"vanilla": 4}


def test_entries_of_equal_rank_are_in_the_order_of_their_values(folder):
    board = board_of(runs(folder, {"bert": 0.799, "longformer": 0.7995, "vanilla": 0.8}), folder)
    assert {row.mean_rank for row in board.blocks[0].rows} == {1}
    expected = ["vanilla", "longformer", "bert"]
    assert [row.entry for row in board.blocks[0].rows] == expected
    assert list(board.tasks[0].rows) == expected
