"""The leaderboard of a benchmark: selection of records, winners, tables, verdicts, changes."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from suite.analysis.leaderboard import Agreement, about_runs
from suite.api import Form
from suite.matrix.registry import load_registry
from suite.records.naming import new_run_id
from tests.builders.records import MOMENT, with_fields
from tests.suite.analysis.final_runs import (
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
    assert [won.key for won in board.winners] == [
        ("ner", 128, 10),
        ("ner", 512, 10),
        ("sentiment", 128, 10),
        ("language_modeling", 64, 10),
    ]
    assert winner.leader == "vanilla" and list(winner.tied) == ["longformer"]
    assert winner.tied["longformer"] > winner.gap  # the difference that would have separated it
    assert winner.next == "longformer" and winner.gap == pytest.approx(0.001)
    assert winner.gap < winner.detectable_difference < 0.1
    assert winner.estimate.low < 0.8 < winner.estimate.high


def test_a_loss_is_won_by_the_smallest(folder):
    *_, winner = board_of(runs(folder), folder).winners
    assert winner.key.task == "language_modeling" and winner.leader == "identity"
    assert winner.next == "vanilla" and winner.gap == pytest.approx(0.4)


def test_a_table_has_each_entry_with_the_most_ranks_first(folder):
    def without(found):
        cell = found.record.cell
        return (cell.architecture, cell.task, cell.sequence_length) != ("vanilla", "ner", 512)

    board = board_of(filter(without, runs(folder)), folder)
    assert [(table.task, table.steps, *table.boards) for table in board.quality] == [
        ("ner", 10, 128, 512),
        ("sentiment", 10, 128),
        ("language_modeling", 10, 64),
    ]
    found = {entry: sorted(by_length) for entry, by_length in board.quality[0].rows.items()}
    assert found == {"bert": [128, 512], "identity": [128, 512], "vanilla": [128]}
    assert list(found)[-1] == "vanilla"
    encoders = board.costs[0]
    assert encoders.form is Form.ENCODER
    assert [row.entry for row in encoders.rows] == ["bert", "identity", "vanilla"]


def test_a_gain_is_the_score_at_the_longest_length_less_that_at_the_shortest(folder):
    def value(planned):
        cell = planned.cell
        gain = {"bert": 0.1 + 0.01 * (cell.seed - 1)}.get(cell.architecture, -0.2)
        return 0.5 + 0.05 * cell.seed + (gain if cell.sequence_length == 512 else 0.0)

    registry = load_registry((str(folder),))
    ner, sentiment, _ = board_of(final_runs(registry, value, ("vanilla", "bert")), folder).quality
    assert not sentiment.gains, "there is one length"
    found = ner.gains["bert"]
    assert found.value == pytest.approx(0.1)
    # Paired by seed, the gains deviate by 0.01, and the scores at a length by 0.05.
    assert found.high - found.value == pytest.approx(4.3027 * 0.01 / 3**0.5, rel=1e-3)
    assert ner.gains["vanilla"].value == pytest.approx(-0.2)


LENGTHS = SMALL.replace("lengths = [128]\n", "lengths = [128, 512]\n")
"""Tasks that score positions, and examples, at two lengths."""


def test_a_gain_covers_the_examples_where_a_part_holds_the_same_at_each_length(tmp_path):
    """Windows of two lengths that the same part holds are not of the same words."""
    folder = benchmark_folder(tmp_path, LENGTHS)
    registry = load_registry((str(folder),))
    seeds = by_architecture({"bert": 0.5, "vanilla": 0.6}, spread=0.01)

    def with_parts(run):
        cell, ranking = run.record.cell, run.record.ranking
        parts = (0.4, 0.5, 0.6) if cell.sequence_length == 128 else (0.6, 0.5, 0.4)
        return with_fields(run, reports={"test": {"without_part": {ranking.metric: parts}}})

    made = final_runs(registry, seeds, ("vanilla", "bert"))
    board = board_of(map(with_parts, made), folder)
    ner, sentiment = (table.gains["bert"] for table in board.quality[:2])
    assert ner.ends == pytest.approx((0.0, 0.0)), "each seed has one score at both lengths"
    # The pseudo-values differ by -0.4, 0 and 0.4.
    assert sentiment.ends == pytest.approx((-0.9937, 0.9937), rel=1e-3)


BUDGETS = """
name = "budgets"
version = 1
summary = "a benchmark with two budgets"
model_size = "tiny"
seeds = [0, 1, 2]
time_limit_seconds = 60
architectures = ["identity"]
entries = [
  { architecture = "identity", steps = [10] },
  { architecture = "vanilla", options = { positions = "rotary" }, steps = [10] },
  { architecture = "vanilla", options = { positions = "rotary" }, steps = [30], lengths = [256] },
]

[tasks.language_modeling]
lengths = [64, 256]
steps = [10, 30]
positions_per_step = 512
"""


def test_each_budget_has_boards_and_gains_of_its_own(tmp_path):
    folder = benchmark_folder(tmp_path, BUDGETS, name="budgets")

    def value(planned):
        cell = planned.cell
        of_entry = 0.0 if cell.architecture == "identity" else -1.0
        return 4.0 - cell.steps / 100 - cell.sequence_length / 1000 + of_entry + cell.seed / 1000

    registry = load_registry((str(folder),))
    made = final_runs(registry, value, ("identity", "vanilla"), name="budgets")
    board = board_of(made, folder, name="budgets")
    assert [(winner.key.steps, winner.key.length) for winner in board.winners] == [
        (10, 64), (10, 256), (30, 256)
    ]  # fmt: skip
    assert [board.text_of(winner.key) for winner in board.winners] == [
        "64 (10 updates)", "256 (10 updates)", "256 (30 updates)"
    ]  # fmt: skip
    short, long = board.quality
    assert short.gains["identity"].value == pytest.approx(0.192), "a smaller loss is a gain"
    assert list(long.boards) == [256] and not long.gains and list(long.rows) == [made_name(made)]
    assert "64" not in about_runs(board), "no entry has 30 updates at 64"


def test_an_entry_of_the_open_track_alone_is_on_no_board_of_the_standard_track(tmp_path):
    methods = 'methods = ["length_warmup:length=32"], steps = [10], lengths = [256]'
    entry = f'{{ architecture = "vanilla", {methods} }}'
    warm = BUDGETS.replace("entries = [", f"entries = [{entry},")
    folder = benchmark_folder(tmp_path, warm, name="budgets")
    registry = load_registry((str(folder),))
    made = final_runs(registry, lambda planned: 2.0, ("identity", "vanilla"), name="budgets")
    alone = [run for run in made if run.record.cell.methods]
    assert len(alone) == 3 and not board_of(alone, folder, name="budgets").boards
    board = board_of(made, folder, name="budgets")
    assert not any("warmup" in name for table in board.quality for name in table.rows)


def made_name(made):
    return next(one.record.ranking.entry for one in made if one.record.cell.steps == 30)


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
    assert board.winners == alone.winners and board.quality == alone.quality
    assert {found.fingerprint for found in board.boards.values()} == {
        "ner", "sentiment", "language_modeling"
    }  # fmt: skip
    assert not board_of(others, folder).boards


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
    assert set(changes.winners) == {("language_modeling", 64, 10)}  # the smaller loss wins
    other = runs(folder, {"vanilla": 0.8, "longformer": 0.9})
    changes = board_of([*before, *other], folder).changes
    assert changes.winners["ner", 128, 10] == (["vanilla"], ["longformer"])
    assert board_of(other, folder).changes.before is None


def test_entries_of_equal_rank_are_in_the_order_of_their_values(folder):
    board = board_of(runs(folder, {"bert": 0.799, "longformer": 0.7995, "vanilla": 0.8}), folder)
    expected = ["vanilla", "longformer", "bert"]
    assert {row.rank for rows in board.quality[0].rows.values() for row in rows.values()} == {1}
    assert list(board.quality[0].rows) == expected
    assert [row.entry for row in board.costs[0].rows] == expected
