"""Texts of records reach a terminal without escape sequences."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from suite.actions.results import Records
from suite.api import Status
from suite.records.command_line import PrintableStream, printable
from tests.builders.records import CELL, make_record

ESCAPE = "\x1b]0;title\x07\x1b[2J\x9b31m"


def test_control_characters_are_written_out():
    assert printable("a\tb\n\x1b[31mé\x9b\x7f\r") == "a\tb\n\\x1b[31mé\\x9b\\x7f\\x0d"


def test_a_stream_keeps_the_sequences_of_rich_alone():
    file = io.StringIO()
    print(ESCAPE, file=PrintableStream(file))
    assert "\x1b" not in file.getvalue()
    Console(file=PrintableStream(file), force_terminal=True).print("[bold]x[/bold]")
    assert "\x1b[1m" in file.getvalue()


def test_no_command_prints_the_escape_sequences_of_a_record(bench, store):
    cell = replace(CELL, source=f"files{ESCAPE}")
    record = make_record(Status.FAILED, cell=cell, reason=f"no {ESCAPE}")
    store.write(record.model_copy(update={
        "ranking": record.ranking.model_copy(update={"entry": f"long{ESCAPE}"}),
    }))  # fmt: skip
    for words in (("report",), ("prune", "--status", "failed", "--dry-run"), ("report", "--json")):
        result = bench(*words)
        assert result.returncode == 0, result.stderr
        assert not set("\x1b\x07\x9b") & set(result.stdout + result.stderr), words
    assert "\x1b" not in repr(Records([record]))
