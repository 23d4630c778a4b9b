"""Boards: what is ranked together, and the content of each row."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest

from suite.analysis.boards import Tier, make_boards
from suite.analysis.grouping import group, key_of
from suite.api import Mode, Status
from suite.matrix.ranking_facts import ranking_facts
from suite.matrix.registry import load_registry
from suite.publish.leaderboard_files import to_csv, to_json, to_markdown
from suite.publish.publishing import strip
from suite.records.published import Folder, StoredRecord, read_published
from suite.records.schema import Measurement, RecordError, TuningChoice
from tests.suite.records.test_store import CELL, make_record

REGISTRY = load_registry(())
TASKS, VERSIONS = REGISTRY.tasks.plugins, REGISTRY.task_versions
UNREAD = Path("records are compared by what was read of them")


def entry(architecture="vanilla", f1=0.5, seed=0, folder=Folder.PUBLISHED, owner="here",
          fingerprint="f", minutes=0, protocol=None, num_parts=4, **cell):  # fmt: skip
    made = dataclasses.replace(
        CELL, **{"architecture": architecture, "seed": seed, "options": {}, **cell}
    )
    record = make_record(
        Status.OK,
        minutes,
        made,
        metrics={"test": {"entity_f1": f1}},
        reports={"test": {"by_part": {"entity_f1": (f1,) * num_parts}}},
        data={"fingerprint": fingerprint},
        parameter_count=7,
        worker_seconds=9.0,
    )
    if protocol is not None:
        record = record.model_copy(update={"protocol": protocol})
    return StoredRecord(record, folder, owner, UNREAD)


def seeds(architecture, values, **fields):
    return [entry(architecture, f1, seed, **fields) for seed, f1 in enumerate(values)]


def test_ranking_needs_three_seeds():
    two = seeds("bert", [0.80, 0.81])
    (board,) = make_boards(seeds("vanilla", [0.50, 0.51, 0.52]) + two, VERSIONS)
    told = {row.line: (row.rank, row.note) for row in board.rows}
    assert told["vanilla"][0] == 1
    assert told["bert"][0] is None and told["bert"][1].startswith("2 seeds: needs at least 3")


def test_costs_come_from_the_machine_and_threads_with_most_records():
    def took(seconds, seed, owner="here", threads=1):
        one = entry(seed=seed, owner=owner, threads=threads)
        return dataclasses.replace(
            one, record=one.record.model_copy(update={"worker_seconds": seconds})
        )

    two, other = [took(60.0, 0), took(70.0, 1)], took(600.0, 2, owner="elsewhere")
    for odd_one in (other, took(600.0, 2, threads=2)):
        (board,) = make_boards([odd_one, *two], VERSIONS)
        assert [row.worker_seconds for row in board.rows] == [65.0]
    assert len(board.rows[0].seeds) == 3


def test_minutes_exclude_resumed_trainings():
    whole, resumed = entry(seed=0), entry(seed=1)
    update = {"worker_seconds": 1.0, "details": {"resumed_at_steps": [700]}}
    resumed = dataclasses.replace(resumed, record=resumed.record.model_copy(update=update))
    (board,) = make_boards([whole, resumed], VERSIONS)
    assert [row.worker_seconds for row in board.rows] == [9.0]
    (board,) = make_boards([resumed], VERSIONS)
    assert [row.worker_seconds for row in board.rows] == [None]


def test_a_noisy_entry_that_shares_a_rank_has_a_note():
    surely = seeds("vanilla", [0.800, 0.801, 0.802]) + seeds("bert", [0.780, 0.781, 0.782])
    noisy = seeds("longformer", [0.60, 0.79, 0.81])
    (board,) = make_boards(surely + noisy, VERSIONS)
    told = {row.line: (row.rank, "varies too much" in row.note) for row in board.rows}
    assert told == {"vanilla": (1, False), "longformer": (1, True), "bert": (3, False)}


def test_an_interval_without_example_variance_has_a_note():
    entries = seeds("vanilla", [0.5, 0.6, 0.7]) + seeds("bert", [0.5, 0.6, 0.7], num_parts=0)
    (board,) = make_boards(entries, VERSIONS)
    notes = {row.line: row.note for row in board.rows}
    assert "over seeds alone" in notes["bert"] and "seeds alone" not in notes["vanilla"]


def tuned(entries):
    """Return the entries with a learning rate that tuning chose."""
    choice = TuningChoice(learning_rate=3e-3, metric="validation entity_f1", setting={})
    changed = []
    for one in entries:
        task = TASKS["ner"]
        ranking = ranking_facts(one.record.cell, task, choice)
        record = one.record.model_copy(update={"ranking": ranking})
        changed.append(dataclasses.replace(one, record=record))
    return changed


def test_an_untuned_entry_is_marked_and_named_by_a_rate_that_was_asked_for():
    rate = {"learning_rate": 3e-3}
    entries = tuned(seeds("vanilla", [0.8] * 3, options=rate))
    entries += seeds("bert", [0.6] * 3, options=rate) + seeds("bert", [0.5] * 3)
    (board,) = make_boards(entries, VERSIONS)
    assert {row.line: row.note for row in board.rows} == {
        "vanilla": "",
        "bert (learning_rate=0.003)": "untuned",
        "bert": "untuned",
    }


def test_entries_that_are_not_separated_share_a_rank():
    entries = seeds("vanilla", [0.50, 0.51, 0.52]) + seeds("bert", [0.80, 0.81, 0.82])
    entries += seeds("longformer", [0.82, 0.80, 0.815])
    (board,) = make_boards(entries, VERSIONS)
    assert [(row.line, row.rank) for row in board.rows] == [
        ("longformer", 1),
        ("bert", 1),
        ("vanilla", 3),
    ]
    assert board.rows[0].estimate.n == 3 and board.rows[1].behind.p_value > 0.05


@pytest.mark.parametrize(
    "other",
    [
        {"fingerprint": "g"},
        {"budget": 2},
        {"sequence_length": 256},
        {"batch_size": 17},
        {"precision": "mixed_bfloat16"},
        {"model_size": "small"},
        {"source": "tfds"},
        {"backend": "jax"},
    ],
)
def test_different_settings_are_on_different_boards(other):
    boards = make_boards([entry("vanilla"), entry("bert", **other)], VERSIONS)
    assert [len(board.rows) for board in boards] == [1, 1]


def test_equal_titles_name_the_fingerprint():
    text = to_markdown(
        make_boards([entry(fingerprint="aaaa"), entry(fingerprint="bbbb")], VERSIONS)
    )
    assert "· data aaaa" in text and "· data bbbb" in text


def test_lengths_with_data_of_their_own_are_one_comparison():
    def series(*found, task="listops"):
        made = [
            make_record(
                cell=dataclasses.replace(
                    CELL,
                    task=task,
                    source="synthetic",
                    sequence_length=length,
                    batch_size=4_096 // length,
                ),
                data={"fingerprint": fingerprint} if fingerprint else None,
            )
            for length, fingerprint in found
        ]
        groups = group([StoredRecord(one, Folder.LOCAL, "here", UNREAD) for one in made])
        return [[one.record.cell.sequence_length for one in groups[key]] for key in groups]

    assert series((128, "a"), (256, "b"), (128, "")) == [[128, 256, 128]]
    assert series((128, "a"), (256, "b"), task="ner") == [[128], [256]]
    # Other data of one length is other data.
    assert series((128, "a"), (256, "b"), (256, "c"), (128, "a")) == [[128, 128], [256], [256]]


@pytest.mark.parametrize(
    ("length", "batch_size", "positions"),
    [(2_048, 4, 8_192), (2_730, 3, 8_192), (3_072, 2, 6_144), (8_192, 1, 8_192)],
)
def test_a_probe_joins_batches_of_nearly_equal_size(length, batch_size, positions):
    cell = dataclasses.replace(
        CELL, mode=Mode.PROBE, task=None, source=None, task_version=None,
        sequence_length=length, batch_size=batch_size,
    )  # fmt: skip
    stored = StoredRecord(make_record(cell=cell), Folder.LOCAL, "here", UNREAD)
    assert key_of(stored).positions_per_batch == positions


def test_a_sweep_is_one_comparison_for_constant_positions_or_sequences():
    def series(*cells):
        made = [
            dataclasses.replace(
                CELL, mode=Mode.PROBE, task=None, source=None, task_version=None,
                sequence_length=length, batch_size=batch_size,
            )
            for length, batch_size in cells
        ]  # fmt: skip
        groups = group(
            [StoredRecord(make_record(cell=cell), Folder.LOCAL, "here", UNREAD) for cell in made]
        )
        return {
            key.batch: [one.record.cell.sequence_length for one in groups[key]] for key in groups
        }

    held_positions = [(1_024, 8), (2_048, 4), (4_096, 2), (8_192, 1)]
    held_sequences = [(1_024, 2), (2_048, 2), (3_072, 2), (4_096, 2)]
    assert series(*held_positions) == {"8,192 tokens a batch": [1_024, 2_048, 4_096, 8_192]}
    assert series(*held_sequences) == {"batch 2": [1_024, 2_048, 3_072, 4_096]}
    both = series(*held_positions, *held_sequences[:3])
    assert both == {
        "batch 2": [4_096, 1_024, 2_048, 3_072],
        "8,192 tokens a batch": [1_024, 2_048, 4_096, 8_192],
    }
    assert series((512, 2)) == {"1,024 tokens a batch": [512]}
    twice = series(*held_positions, *[(length, 2 * batch) for length, batch in held_positions])
    assert set(twice) == {"8,192 tokens a batch", "16,384 tokens a batch"}


def test_task_options_make_a_board_and_recipe_options_an_entry():
    sentiment = {"task": "sentiment", "source": "tfds"}
    entries = [
        dataclasses.replace(found, record=found.record.model_copy(
            update={"metrics": {"test": {"accuracy": 0.5}}}))
        for found in (
            entry(**sentiment),
            entry(**sentiment, options={"dropout": 0.0}),
            entry(**sentiment, options={"units": "bytes"}),
        )
    ]  # fmt: skip
    boards = make_boards(entries, VERSIONS)
    lines = sorted([row.line for row in board.rows] for board in boards)
    assert lines == [["vanilla"], ["vanilla", "vanilla (dropout=0.0)"]]


def test_superseded_rows_name_their_successor():
    entries = [entry(protocol=1, f1=0.9), entry(f1=0.4), entry(f1=0.5, minutes=5)]
    entries.append(entry("bert", architecture_version=2))
    entries.append(entry("bert", architecture_version=1))
    (board,) = make_boards(entries, VERSIONS)
    told = {row.superseded_by for row in board.rows if row.superseded_by}
    assert len(board.rows) == 5 and len(told) == 2
    assert f"run {entries[2].record.run_id}" in told
    current = [row for row in board.rows if not row.superseded_by]
    assert [row.estimate.value for row in current if row.line == "vanilla"] == [0.5]


@pytest.mark.parametrize("older", [{"protocol": 1}, {"task_version": CELL.task_version - 1}])
def test_older_versions_are_superseded(older):
    entries = seeds("vanilla", [0.5, 0.5, 0.5]) + seeds("bert", [0.9, 0.9, 0.9], **older)
    (board,) = make_boards(entries, VERSIONS)
    assert [(row.line, row.rank) for row in board.rows if not row.superseded_by] == [("vanilla", 1)]
    former = [row for row in board.rows if row.superseded_by]
    assert [(row.line, row.rank, row.estimate.value) for row in former] == [("bert", None, 0.9)]
    assert f"task version {CELL.task_version}" in former[0].superseded_by
    # The versions in force come from the code too, so a lone old entry has no rank.
    (alone,) = make_boards(seeds("bert", [0.9, 0.9, 0.9], **older), VERSIONS)
    assert [(row.rank, bool(row.superseded_by)) for row in alone.rows] == [(None, True)]


def test_a_failed_run_has_a_row_without_a_score():
    cell = dataclasses.replace(CELL, architecture="bert", options={})
    bad = make_record(Status.OUT_OF_MEMORY, 0, cell, reason="16 GiB")
    (board,) = make_boards([entry(), StoredRecord(bad, Folder.PUBLISHED, "here", UNREAD)], VERSIONS)
    assert board.rows[1].estimate is None and board.rows[1].note == "out_of_memory: 16 GiB; untuned"


def test_probes_are_ranked_on_one_machine_by_ratio():
    def probe(architecture, speed, number, owner):
        made = entry(architecture, mode=Mode.PROBE, task=None, source=None, task_version=None,
                     round=number, budget=0, owner=owner)  # fmt: skip
        value = Measurement(value=speed, n=1, samples=(speed,), quartiles=None, method="")
        record = made.record.model_copy(
            update={"measurements": {"training": {"tokens_per_second": value}}, "metrics": {}}
        )
        return dataclasses.replace(made, record=record)

    entries = [
        probe(architecture, speed + number, number, owner)
        for owner in ("here", "there")
        for architecture, speed in (("vanilla", 100.0), ("longformer", 400.0))
        for number in range(3)
    ]
    boards = make_boards(entries, VERSIONS)
    assert [board.setting.machine for board in boards] == ["here", "there"]
    first = boards[0].rows[0]
    assert (first.line, first.rank) == ("longformer", 1)
    assert first.estimate.value == pytest.approx((400 * 401 * 402) ** (1 / 3))


def test_submitted_probes_are_ranked_on_their_machine():
    def probe(architecture, processor, number, **fields):
        one = entry(architecture, round=number, mode=Mode.PROBE, task=None, task_version=None,
                    source=None, **fields)  # fmt: skip
        speed = Measurement(value=9.0, n=1, samples=(9.0,), quartiles=None, method="a clock")
        environment = {"processor": processor, "num_cores": 2}
        update = {
            "environment": environment,
            "measurements": {"inference": {"tokens_per_second": speed}},
        }
        return dataclasses.replace(one, record=one.record.model_copy(update=update))

    theirs = {"folder": Folder.SUBMITTED, "owner": "them"}
    entries = [probe("bert", "fast", number, owner="fast-2-cores") for number in range(3)]
    entries += [probe("vanilla", "fast", number, **theirs) for number in range(3)]
    entries += [probe("vanilla", "slow", number, **theirs) for number in range(3)]
    boards = make_boards(entries, VERSIONS)
    told = {board.setting.machine: sorted(row.line for row in board.rows) for board in boards}
    assert told == {
        "fast-2-cores": ["bert", "vanilla, by them"],
        "slow-2-cores": ["vanilla, by them"],
    }


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


def test_an_interval_does_not_grant_reproduction():
    theirs = seeds("vanilla", [0.1, 0.9, 0.5], folder=Folder.SUBMITTED, owner="them")
    again = seeds("vanilla", [0.3, 0.9, 0.5], folder=Folder.VERIFIED)
    (board,) = make_boards([*theirs, *again], VERSIONS)
    (row,) = board.rows
    assert row.estimate.high - row.estimate.value > 0.2
    assert row.tier is Tier.SELF_REPORTED and "2 of 3 cells reproduced" in row.note


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
    assert {row.line: row.estimate.value for row in board.rows} == {
        "vanilla": pytest.approx(0.8),
        "vanilla (untuned)": pytest.approx(0.5),
    }


def test_files_agree_and_names_are_escaped():
    boards = make_boards(
        [*seeds("<script>|x", [0.1, 0.2, 0.3]), *seeds("bert", [0.8, 0.81, 0.82])], VERSIONS
    )
    text = to_markdown(boards)
    assert "<script>" not in text and "&lt;script&gt;&#124;x" in text
    rows = list(csv.DictReader(io.StringIO(to_csv(boards))))
    assert [row["line"] for row in rows] == ["bert", "<script>|x"]
    assert float(rows[0]["value"]) == pytest.approx(0.81)
    loaded = json.loads(to_json(boards))
    assert loaded[0]["rows"][0]["estimate"]["value"] == pytest.approx(0.81)


def test_markdown_begins_with_leaders_and_ends_with_superseded_rows():
    clear = seeds("vanilla", [0.800, 0.801, 0.802]) + seeds("bert", [0.70, 0.701, 0.702])
    longer = {"sequence_length": 2 * CELL.sequence_length, "batch_size": CELL.batch_size // 2}
    tied = seeds("bert", [0.8, 0.9, 0.7], **longer) + seeds("vanilla", [0.7, 0.8, 0.9], **longer)
    former = seeds("vanilla", [0.1, 0.2, 0.3], protocol=1)
    text = to_markdown(make_boards([*clear, *tied, *former], VERSIONS))
    summary, *boards = text.split("\n### ")
    assert "| 128: vanilla; 256: bert or 1 more |" in summary
    standing, superseded = boards[0].split("<details>")
    assert "| 0.801 [" in standing and "| 0.2 [" not in standing
    assert superseded.count("superseded by protocol") == 1 and "| 0.2 [" in superseded
    assert "Who is best" not in to_markdown(make_boards(clear[:1], VERSIONS))


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "published" / "here"
    folder.mkdir(parents=True)
    for found in seeds("vanilla", [0.5, 0.6]):
        record = strip(found.record)
        name = f"{record.cell_id}.{record.run_id}.json"
        (folder / name).write_text(record.to_json())
    return tmp_path / "results"


def test_check_finds_a_stale_or_edited_file(results, bench):
    assert bench("leaderboard", "--results", str(results), "--check").returncode == 2
    assert bench("leaderboard", "--results", str(results)).returncode == 0
    assert bench("leaderboard", "--results", str(results), "--check").returncode == 0
    path = results / "LEADERBOARD.md"
    path.write_text(path.read_text().replace("0.55", "0.99"))
    said = bench("leaderboard", "--results", str(results), "--check")
    assert said.returncode == 2 and "LEADERBOARD.md, which is stale or was edited" in said.stderr


def test_an_unreadable_published_file_is_named(results):
    (results / "published" / "here" / "x.json").write_text("{}")
    with pytest.raises(RecordError, match=r"published/here/x\.json"):
        read_published(results)
