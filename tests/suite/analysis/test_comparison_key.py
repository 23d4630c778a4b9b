"""Grouping: the records that may be compared, and the names of comparisons."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from suite.analysis.comparison_key import ComparisonKey, group, key_of, short_titles, titles
from suite.analysis.tables import make_tables
from suite.api import AppliedMethod, Mode, Stage, Track
from suite.matrix.planned_cells import ranking_facts
from suite.records.published import StoredRecord
from tests.builders.boards import UNREAD, VERSIONS, entry
from tests.builders.records import CELL, REGISTRY, make_record, with_fields
from tests.suite.analysis.final_runs import make_boards


@pytest.mark.parametrize(
    "other",
    [
        {"fingerprint": "g"},
        {"steps": 2},
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


def test_lengths_with_data_of_their_own_are_one_comparison():
    def series(*found, task="listops", positions=None):
        """`positions` are those of a batch; without them, batches hold equally many sequences."""
        made = [
            make_record(
                cell=dataclasses.replace(
                    CELL,
                    task=task,
                    source="synthetic",
                    sequence_length=length,
                    batch_size=positions // length if positions else CELL.batch_size,
                ),
                data={"fingerprint": fingerprint} if fingerprint else None,
            )
            for length, fingerprint in found
        ]
        groups = group([StoredRecord(one, "here", UNREAD) for one in made])
        return [[one.record.cell.sequence_length for one in groups[key]] for key in groups]

    assert series((128, "a"), (256, "b"), (128, "")) == [[128, 256, 128]]
    apart = series((128, "a"), (256, "b"), task="ner", positions=4_096)
    assert apart == [[128], [256]]
    assert series((128, "a"), (256, "a"), task="ner", positions=4_096) == [[128, 256]]
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
    stored = StoredRecord(make_record(cell=cell), "here", UNREAD)
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
        groups = group([StoredRecord(make_record(cell=cell), "here", UNREAD) for cell in made])
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
        with_fields(entry(**sentiment, options=options), metrics={"test": {"accuracy": 0.5}})
        for options in ({}, {"dropout": 0.0}, {"units": "bytes"})
    ]
    boards = make_boards(entries, VERSIONS)
    lines = sorted([row.entry for row in board.rows] for board in boards)
    assert lines == [["vanilla"], ["vanilla", "vanilla (dropout=0.0)"]]


def drawn(length, version, fingerprint, *methods):
    """Return a trial on data that is drawn for its length."""
    applied = tuple(AppliedMethod(name, 1, stage=Stage.TRAIN) for name in methods)
    cell = dataclasses.replace(
        CELL, task="listops", source="synthetic", sequence_length=length, task_version=version,
        methods=applied, benchmark=None, scores_test=False, options={},
    )  # fmt: skip
    facts = ranking_facts(cell, REGISTRY.tasks.get("listops"), None)
    record = make_record(cell=cell, ranking=facts, data={"fingerprint": fingerprint})
    return StoredRecord(record, "here", UNREAD)


def test_an_older_version_of_a_task_leaves_the_lengths_of_the_newest_together():
    newest = [drawn(length, 2, f"new {length}") for length in (128, 256, 512)]
    groups = group([drawn(128, 1, "old"), *newest])
    assert sorted(map(len, groups.values())) == [1, 3]


def test_a_method_at_one_length_meets_the_plain_entries_of_its_data():
    plain = [drawn(length, 2, f"data {length}") for length in (128, 256)]
    groups = group([*plain, drawn(128, 2, "data 128", "smooth")])
    (found,) = [found for key, found in groups.items() if key.track == Track.OPEN]
    assert {one.record.fingerprint for one in found} == {"data 128"} and len(found) == 2


def test_tables_of_different_data_have_different_titles():
    made = [entry(fingerprint="aaaa"), entry(fingerprint="bbbb"), entry(steps=2)]
    found = sorted(table.title for table in make_tables(made, VERSIONS))
    assert len(set(found)) == 3
    assert sum("· data " in title for title in found) == 2


TRIAL = ComparisonKey(
    Mode.TRAIN, "ner", "synthetic", "", "encoder", "tiny", 300, "float32", "tensorflow",
    positions_per_batch=2_048, sequences_per_batch=0, threads=0, split="validation",
)  # fmt: skip
FINAL = replace(TRIAL, benchmark="core-1", split="test")
PROBE = replace(TRIAL, mode=Mode.PROBE, task="", source="", threads=2, machine="abacus", split="")


def test_a_name_has_only_the_parts_that_differ():
    longer, bfloat = replace(TRIAL, steps=3_000), replace(TRIAL, precision="mixed_bfloat16")
    tested = replace(TRIAL, split="test")
    names = short_titles([FINAL, TRIAL, longer, bfloat, tested])
    assert names == {
        FINAL: "core-1",
        TRIAL: "trials scored on validation, 300 steps, float32",
        longer: "trials scored on validation, 3,000 steps",
        bfloat: "trials scored on validation, 300 steps, mixed_bfloat16",
        tested: "trials with --test",
    }


def test_other_tasks_do_not_lengthen_a_name():
    other = replace(FINAL, task="sentiment", steps=700)
    assert short_titles([FINAL, other]) == {FINAL: "core-1", other: "core-1"}


def test_probes_are_named_by_their_batches():
    one = replace(PROBE, positions_per_batch=0, sequences_per_batch=1)
    elsewhere = replace(one, machine="slide rule")
    assert short_titles([PROBE, one, elsewhere]) == {
        PROBE: "probes, 2,048 tokens a batch",
        one: "probes, batch 1, abacus",
        elsewhere: "probes, batch 1, slide rule",
    }


def test_names_are_unique_within_a_task():
    """Each field of a comparison changes its name."""
    changes = {
        "source": "tfds", "task_options": "units=bytes", "model_size": "base", "steps": 7,
        "precision": "mixed_bfloat16", "backend": "jax", "positions_per_batch": 512,
        "fingerprint": "0123456789abcdef", "benchmark": "core-2", "track": "open",
        "split": "test", "threads": 4, "machine": "abacus",
    }  # fmt: skip
    keys = [TRIAL, *(replace(TRIAL, **{name: value}) for name, value in changes.items())]
    names = short_titles(keys)
    assert len(set(names.values())) == len(keys)


def test_the_full_title_of_a_probe_names_its_benchmark_and_the_open_track():
    keys = [PROBE, replace(PROBE, benchmark="cost-1"), replace(PROBE, track="open")]
    keys.append(replace(PROBE, machine="slide rule"))
    found = titles(keys)
    assert len(set(found.values())) == len(keys)
    assert " · cost-1 · " in found[keys[1]] and " · open track · " in found[keys[2]]
    assert not any("data" in title for title in found.values())
