"""Tables print notes once, and a growth with its interval or the reason why there is none."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.tables import make_tables
from suite.api import Status
from suite.records.schema import Measurement
from suite.report.markdown import Footnotes, shared_notes
from suite.report.tables import (
    DISTURBED_NOTE,
    NO_GROWTH_NOTE,
    OTHER_SESSION_NOTE,
    UNFINISHED_NOTE,
    print_tables,
)
from tests.builders.boards import seeds
from tests.builders.costs import rounds
from tests.builders.records import CELL, PROBE, make_record, stored


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


LENGTHS = (128, 256, 512, 1_024)


def probes(num_rounds, lengths=LENGTHS, noisy=()):
    """Return quiet or noisy probes whose costs are exactly linear in the length."""
    for repeat in range(num_rounds):
        for length in lengths:
            measured = {
                name: Measurement(value=length * (10.0 + repeat / 100), n=1)
                for name in ("step_seconds", "peak_memory_bytes")
            }
            cell = dataclasses.replace(PROBE, sequence_length=length, round=repeat, batch_size=1)
            measurements = {"training": measured, "inference": measured}
            details = {"noisy": noisy}
            yield stored(
                make_record(Status.OK, repeat, cell, measurements=measurements, details=details)
            )


def test_growth_has_an_interval(capsys):
    text = printed(probes(3), capsys)
    assert "n^1.00 [1.00, 1.00]" in text
    assert NO_GROWTH_NOTE not in text


@pytest.mark.parametrize(
    "records",
    [probes(1), probes(3, LENGTHS[:3])],
    ids=["one round", "three lengths"],
)
def test_without_an_interval_a_note_says_what_is_missing(records, capsys):
    text = printed(records, capsys)
    assert "n^" not in text
    assert NO_GROWTH_NOTE in text


def test_after_an_interruption_the_note_names_the_command_that_continues(capsys):
    *done, last = probes(3, LENGTHS[:3])
    stopped = stored(make_record(Status.INTERRUPTED, 9, last.record.cell))
    text = printed([*done, stopped], capsys)
    assert UNFINISHED_NOTE.format(command=stopped.record.invocation.command) in text
    assert NO_GROWTH_NOTE not in text
    print_tables(make_tables(done), unfinished="bench run --mode probe")
    assert "continues: bench run --mode probe" in " ".join(capsys.readouterr().out.split())


def test_disturbed_costs_and_their_growth_are_marked(capsys):
    text = printed(probes(3, noisy=("training", "inference")), capsys)
    assert "step_seconds │ ~n^1.00 [1.00, 1.00]" in text
    assert "peak_memory_bytes │ n^1.00 [1.00, 1.00]" in text
    assert DISTURBED_NOTE in text and "noisy │" not in text
    assert DISTURBED_NOTE not in printed(probes(3), capsys)


def test_two_lengths_promise_no_growth(capsys):
    assert NO_GROWTH_NOTE not in printed(probes(3, LENGTHS[:2]), capsys)


def test_a_cost_of_another_session_has_a_note_that_says_what_this_means(capsys):
    together = [*rounds("vanilla", 100.0), *rounds("bert", 50.0)]
    alone = rounds("llama", 500.0, session=2)
    assert OTHER_SESSION_NOTE not in printed(together, capsys)
    assert OTHER_SESSION_NOTE in printed(together + alone, capsys)
