"""The table of growth: a growth is printed with its interval, or a note says what is missing."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.tables import make_tables
from suite.api import Status
from suite.records.schema import Measurement
from suite.report.tables import (
    DISTURBED_NOTE,
    NO_GROWTH_NOTE,
    OTHER_SESSION_NOTE,
    UNFINISHED_NOTE,
    print_tables,
)
from tests.builders.costs import rounds
from tests.builders.records import PROBE, make_record, stored

LENGTHS = (128, 256, 512, 1_024)


def probes(num_rounds, lengths=LENGTHS, noisy=()):
    """Return quiet or noisy probes whose costs are exactly linear in the length."""
    for repeat in range(num_rounds):
        for length in lengths:
            measured = {
                name: Measurement(value=length * (10.0 + repeat / 100), n=1)
                for name in ("step_seconds", "peak_memory_bytes")
            }
            yield make_record(
                minutes=repeat,
                cell=dataclasses.replace(PROBE, sequence_length=length, round=repeat, batch_size=1),
                measurements={"training": measured, "inference": measured},
                details={"noisy": noisy},
            )


def printed(records, capsys):
    print_tables(make_tables(map(stored, records)))
    return " ".join(capsys.readouterr().out.split())


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
    stopped = make_record(Status.INTERRUPTED, minutes=9, cell=last.cell)
    text = printed([*done, stopped], capsys)
    assert UNFINISHED_NOTE.format(command=stopped.invocation.command) in text
    assert NO_GROWTH_NOTE not in text
    print_tables(make_tables(map(stored, done)), unfinished="bench run --mode probe")
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
    for records, is_noted in ((together, False), (together + alone, True)):
        print_tables(make_tables(records))
        assert (OTHER_SESSION_NOTE in " ".join(capsys.readouterr().out.split())) == is_noted
