"""A table prints a note of all its rows once."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.tables import make_tables
from suite.api import Status
from suite.report.markdown import Footnotes, shared_notes
from suite.report.tables import print_tables
from tests.builders.boards import seeds
from tests.builders.records import CELL, make_record, stored


def printed(records, capsys):
    print_tables(make_tables(records))
    return " ".join(capsys.readouterr().out.split())


def test_a_number_of_seeds_that_all_rows_have_stands_in_the_heading(capsys):
    text = printed([*seeds("vanilla", [0.1]), *seeds("bert", [0.2])], capsys)
    assert "entity_f1 (n=1)" in text and text.count("n=1") == 1
    text = printed([*seeds("vanilla", [0.1]), *seeds("bert", [0.2, 0.4])], capsys)
    assert "0.100 (n=1)" in text and "0.300 (0.200 to 0.400, n=2)" in text


def test_a_reason_that_all_rows_have_stands_once(capsys):
    ended = [
        stored(make_record(Status.FAILED, 0, cell, reason="no disk"))
        for cell in (dataclasses.replace(CELL, architecture="bert"), CELL)
    ]
    assert printed(ended, capsys).count("no disk") == 1


@pytest.mark.parametrize(
    ("notes", "shared"),
    [([], []), ([["a"]], []), ([["a", "b"], ["b"]], ["b"]), ([["a"], []], [])],
)
def test_notes_are_shared_by_all_of_several_rows(notes, shared):
    assert shared_notes(notes) == shared


def test_notes_of_single_rows_are_numbered_and_stand_below():
    notes = Footnotes()
    assert [notes.after("a", ["x", "y"]), notes.after("b", ["y"])] == ["a¹ ²", "b²"]
    assert str(notes) == "¹ x; ² y."
