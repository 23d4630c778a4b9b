"""Commands in records hold no path, and texts of records reach a terminal without escapes."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from suite.actions.results import Records
from suite.api import Status
from suite.records.command_line import (
    PrintableStream,
    printable,
    shareable_command,
    without_formula,
)
from tests.builders.records import CELL, make_record


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("run --task ner --lengths 128,512", "run --task ner --lengths 128,512"),
        ("run --home /home/ann/x --seeds 0", "run --home … --seeds 0"),
        ("run --home=results --seeds 0", "run --home=… --seeds 0"),
        ("run --home results", "run --home …"),
        ("run --tfds-data-dir data", "run --tfds-data-dir …"),
        ("run --data files:corpus", "run --data files:…"),
        ("run --data=files:/home/ann/corpus", "run --data=files:…"),
        ("run --data tfds:lm1b/subwords8k:1.1.0", "run --data tfds:lm1b/subwords8k:1.1.0"),
        ("run --data tfds:a/../../home/ann", "run --data …"),
        ("run --option vocabulary=/home/ann/words", "run --option vocabulary=…"),
        ("run --option window=64", "run --option window=64"),
        ("export /home/ann/pack --task ner", "export … --task ner"),
        ("export ../pack", "export …"),
        ("verify ~/record.json --keep", "verify … --keep"),
        ("run --future-option C:\\data", "run --future-option …"),
    ],
)
def test_paths_are_hidden_and_the_rest_is_kept(arguments, command):
    assert shareable_command(arguments.split()) == f"bench {command}"


def test_a_path_without_a_slash_is_hidden_where_the_parser_took_it_for_one():
    arguments = ["export", "ann", "--task", "ner"]
    assert shareable_command(arguments, [Path("ann")]) == "bench export … --task ner"


def test_a_path_with_spaces_is_one_argument():
    assert shareable_command(["verify", "/home/ann smith/x.json"]) == "bench verify …"


ESCAPE = "\x1b]0;title\x07\x1b[2J\x9b31m"


def test_control_characters_are_written_out():
    assert printable("a\tb\n\x1b[31mé\x9b\x7f\r") == "a\tb\n\\x1b[31mé\\x9b\\x7f\\r"


def test_marks_that_reorder_a_line_are_written_out():
    assert printable("safe\u202etxt.exe\u2066\u200f\u2028") == (
        "safe\\u202etxt.exe\\u2066\\u200f\\u2028"
    )


@pytest.mark.parametrize("text", ["=cmd", "+1", "-1", "@SUM", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_a_text_of_a_csv_file_is_no_formula(text):
    assert without_formula(text) == f"'{text}"
    assert without_formula("1=1") == "1=1" and without_formula(-1) == -1


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
