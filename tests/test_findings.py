"""The tables of `results/README.md` agree with the leaderboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from suite.api.files import CHECKOUT

PAGE = (CHECKOUT / "results" / "README.md").read_text()
MARKED = re.compile(r"<!-- board: (\w+) · (\w+) · budget ([\d,]+) -->\n((?:\|.*\n)+)")
"""The name of a board, in an invisible comment, and the table below it."""


def rows_of(task: str, source: str, budget: int) -> dict[tuple[str, int], dict]:
    """Return the scores on the boards of `tiny` models, by entry and length."""
    boards = json.loads((CHECKOUT / "results" / "LEADERBOARD.json").read_text())
    wanted = {"task": task, "source": source, "budget": budget, "model_size": "tiny"}
    return {
        (row["line"], board["sequence_length"]): row["estimate"]
        for board in boards
        if wanted.items() <= board["setting"].items()
        for row in board["rows"]
        if not row["superseded_by"] and row["line"] == row["architecture"]
    }


def cells_of(table: str) -> Iterator[tuple[str, int, str]]:
    """Yield the figures of a table: architecture, length, text."""
    split = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
    head, _, *rows = split
    lengths = [int(re.match(r"[\d,]+", name).group().replace(",", "")) for name in head[1:]]
    for name, *texts in rows:
        for length, text in zip(lengths, texts, strict=True):
            yield name.strip("`"), length, text


@pytest.mark.parametrize(
    ("task", "source", "budget", "table"),
    MARKED.findall(PAGE),
    ids=[found[0] for found in MARKED.findall(PAGE)],
)
def test_tables_agree_with_the_leaderboard(task, source, budget, table):
    expected = rows_of(task, source, int(budget.replace(",", "")))
    told = {(name, length): text for name, length, text in cells_of(table)}
    assert set(told) == set(expected)
    for place, text in told.items():
        figure, _, seeds = text.partition(" ")
        decimals = len(figure.partition(".")[2])
        assert float(figure) == pytest.approx(
            expected[place]["value"], abs=0.5001 * 10**-decimals
        ), place
        assert (seeds == "(n=1)") == (expected[place]["n"] == 1), place


def test_every_comparison_of_architectures_by_length_is_marked():
    assert len(MARKED.findall(PAGE)) == len(re.findall(r"\n\|[^|]+\| (?:16|32|64|128) ", PAGE))
