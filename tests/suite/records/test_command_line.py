"""The command in a record holds no path of the user's machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.records.command_line import shareable_command


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
