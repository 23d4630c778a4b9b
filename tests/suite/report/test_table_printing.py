"""Printed tables look as those of rich where they fit, and lose nothing where they do not."""

from __future__ import annotations

import io
import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite.report.table_printing import Column, print_table

TEXTS = st.sampled_from(
    (
        "", "ok", "—", "12,345", "other session", "2 failed, 1 ok", "two\nlines", " lead", "end ",
        "bert (learning_rate=0.0001)", "[x]", ":x:", "日本語の名前", "tab\there", "a" * 40,
        "12,345 MiB (±4.2%, 2 sessions)",
    )
)  # fmt: skip


@st.composite
def tables(draw):
    columns = draw(st.lists(st.builds(Column, TEXTS, st.booleans()), min_size=2, max_size=12))
    row = st.lists(TEXTS, min_size=len(columns), max_size=len(columns))
    return columns, draw(st.lists(row, min_size=1, max_size=5))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_a_table_that_fits_is_printed_as_by_rich(table):
    columns, rows = table
    expected, found = (Console(file=io.StringIO(), width=1_000) for _ in range(2))
    by_rich = Table(show_edge=False, pad_edge=False)
    for column in columns:
        by_rich.add_column(Text(column.title), justify="right" if column.right else "left")
    for row in rows:
        by_rich.add_row(*map(Text, row))
    expected.print(by_rich)
    print_table(found, columns, rows)
    assert found.file.getvalue() == expected.file.getvalue()


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(60, 160))
def test_a_narrow_table_loses_nothing_and_breaks_no_word_that_fits(table, width):
    columns, rows = table
    found = Console(file=io.StringIO(), width=width)
    print_table(found, columns, rows)
    lines = found.file.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= width
    parts = [re.split("[│┃]", line) for line in lines if "╇" not in line]
    cells = [[column.title for column in columns], *rows]
    for place, shown in enumerate(zip(*parts, strict=True)):
        texts = [row[place] for row in cells]
        assert "".join("".join(shown).split()) == "".join("".join(texts).split())
    words = [
        max((cell_len(word) for row in cells for word in row[place].split()), default=0)
        for place in range(len(columns))
    ]
    if sum(max(word, 1) for word in words) + 3 * (len(columns) - 1) <= width:
        printed = " ".join(part for line in parts for part in line).split()
        assert Counter(printed) == Counter(" ".join(map(" ".join, cells)).split())
