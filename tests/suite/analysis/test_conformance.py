"""The standard track ranks only entries whose code passes the conformance kit."""

from __future__ import annotations

import pytest

from suite.records.schema import Conformance
from tests.builders.boards import VERSIONS, seeds
from tests.builders.records import with_fields
from tests.suite.analysis.final_runs import make_boards

SCORES = [0.80, 0.81, 0.82]


def with_conformance(runs, *stated, track="standard"):
    """Return runs whose records state these results of the kit."""
    found = []
    for run, conformance in zip(runs, stated, strict=True):
        ranking = run.record.ranking.model_copy(update={"track": track})
        found.append(with_fields(run, conformance=conformance, ranking=ranking))
    return found


def row_of(*stated, track="standard"):
    others = with_conformance(seeds("vanilla", [0.50, 0.51, 0.52]), *[PASSED] * 3, track=track)
    runs = with_conformance(seeds("bert", SCORES), *stated, track=track)
    (board,) = make_boards([*others, *runs], VERSIONS)
    row, vanilla = sorted(board.rows, key=lambda row: row.entry)
    return row, vanilla


PASSED, UNKNOWN = Conformance(kit=1), Conformance(kit=0)
FAILED = Conformance(kit=1, failed=("order matters", "no look ahead"))


def test_an_entry_that_fails_has_no_rank_and_says_why():
    row, vanilla = row_of(PASSED, FAILED, PASSED)
    assert row.rank is None and vanilla.rank == 1
    assert "fails the conformance kit: no look ahead, order matters" in row.note
    assert row.estimate.value == pytest.approx(0.81)


def test_an_entry_that_was_not_checked_has_no_rank():
    row, vanilla = row_of(PASSED, PASSED, None)
    assert row.rank is None and vanilla.rank == 1
    assert "the conformance kit did not check its code" in row.note


def test_a_record_of_an_older_schema_keeps_its_rank_with_a_note():
    row, vanilla = row_of(UNKNOWN, PASSED, PASSED)
    assert row.rank == 1 and "conformance unknown" in row.note
    assert vanilla.rank == 2 and "conformance" not in vanilla.note


def test_the_open_track_needs_no_check():
    for stated in (None, FAILED, UNKNOWN):
        row, _ = row_of(stated, PASSED, PASSED, track="open")
        assert row.rank == 1 and "conformance" not in row.note
