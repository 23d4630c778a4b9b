"""Printed tables look as those of rich, at every width of a console that shows all columns."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite.cli.table_printing import Column, print_table

TEXTS = st.sampled_from(
    (
        "", "ok", "—", "12,345", "other session", "2 failed, 1 ok", "two\nlines", " lead", "end ",
        "bert (learning_rate=0.0001)", "[x]", ":x:", "日本語の名前", "tab\there", "a" * 40,
        "12,345 MiB (±4.2%, 2 sessions)",
    )
)  # fmt: skip


@st.composite
def tables(draw):
    columns = draw(st.lists(st.builds(Column, TEXTS, st.booleans()), min_size=2, max_size=13))
    row = st.lists(TEXTS, min_size=len(columns), max_size=len(columns))
    return columns, draw(st.lists(row, min_size=1, max_size=5))


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(60, 160))
def test_a_table_is_printed_as_by_rich(table, width):
    columns, rows = table
    expected, found = (Console(file=io.StringIO(), width=width) for _ in range(2))
    by_rich = Table(show_edge=False, pad_edge=False)
    for column in columns:
        by_rich.add_column(Text(column.title), justify="right" if column.right else "left")
    for row in rows:
        by_rich.add_row(*map(Text, row))
    expected.print(by_rich)
    print_table(found, columns, rows)
    assert found.file.getvalue() == expected.file.getvalue()
