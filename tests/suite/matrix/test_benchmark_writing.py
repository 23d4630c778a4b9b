"""Edits of a benchmark file keep its comments, wherever they stand."""

from __future__ import annotations

import tomllib

from suite.matrix.freezing import with_hash, with_tables

TEXT = """# A benchmark.
name = "small"

[tasks.ner]  # names
lengths = [
  [64],
]

# Drawn in May.
[data.ner]  # one length
64 = "aa"  # of the first corpus
128 = "bb"  # dropped
# the end of the data

# No such task any more.
[data.gone]  # gone
64 = "cc"

# Hashes.
[frozen]  # do not edit
# the first
"1" = "abc"  # in June
"""
TABLES = {"ner": {64: '"dd"', 256: '"ee"'}, "new": {64: '"ff"'}}


def comments(text):
    return sorted(line.partition("#")[2].strip() for line in text.splitlines() if "#" in line)


def test_new_values_keep_every_comment_and_every_other_line():
    changed = with_tables(TEXT, "data", TABLES)
    assert comments(changed) == comments(TEXT)
    content = tomllib.loads(changed)
    assert content["data"] == {"ner": {"64": "dd", "256": "ee"}, "new": {"64": "ff"}}
    assert {name: content[name] for name in ("name", "tasks", "frozen")} == {
        "name": "small", "tasks": {"ner": {"lengths": [[64]]}}, "frozen": {"1": "abc"},
    }  # fmt: skip
    assert '64 = "dd"  # of the first corpus' in changed
    assert with_tables(changed, "data", TABLES) == changed


def test_a_new_hash_keeps_every_comment():
    changed = TEXT
    for name, digest in (("1", "def"), ("2", "fed")):
        changed = with_hash(changed, name, digest)
    assert comments(changed) == comments(TEXT)
    assert tomllib.loads(changed)["frozen"] == {"1": "def", "2": "fed"}
    assert '"1" = "def"  # in June' in changed
