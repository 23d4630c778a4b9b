"""Prints tables of thousands of rows in the look of rich's `Table`, twenty times as fast.

Rich takes a third of a millisecond to lay out a cell. Here it only wraps the cells that are wider
than their columns. Rich cuts long words in a narrow console. This printer narrows other columns
first, and folds a long word only if the room is too small for all words.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from suite.records.printable import printable

SEPARATOR = " │ "


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and whether its cells are aligned on the right."""

    title: str
    right: bool = True


def print_table(out: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with a bold head, no wider than the console. Cells are plain text."""
    head = [column.title for column in columns]
    rows = [[*map(printable, row)] for row in rows]
    columns_of_cells = [*zip(head, *rows, strict=True)]
    natural = [max(map(_width, cells)) for cells in columns_of_cells]
    widths = natural
    if sum(natural) + len(SEPARATOR) * (len(natural) - 1) > out.width:
        widths = _shrunk(natural, columns_of_cells, out.width)
    lines = ["━╇━".join("━" * width for width in widths)]
    for row in rows:
        lines += map(SEPARATOR.join, _lines(out, row, columns, widths))
    for texts in _lines(out, head, columns, widths, at_bottom=True):
        cells = (Text(text, "bold") for text in texts)
        out.print(Text(" ┃ ").join(cells), soft_wrap=True)
    out.file.write("\n".join(lines) + "\n")


def _shrunk(widths: Sequence[int], columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the widths of columns that fit into a room with the separators between them.

    The widest columns shrink first, to equal widths with the spaces of the separators. No column
    becomes narrower than its longest word, unless the room is too small for all words. None becomes
    narrower than its widest character: a console without that room breaks the lines.
    """
    spaces = [1, *[2] * (len(widths) - 2), 1]
    found = [width + of_column for width, of_column in zip(widths, spaces, strict=True)]
    room -= len(widths) - 1  # the lines of the separators
    for width_of in (_longest_word, _widest_character):
        least = [max(map(width_of, cells)) for cells in columns]
        _shrink(found, [*map(operator.add, least, spaces)], room)
    return [width - of_column for width, of_column in zip(found, spaces, strict=True)]


def _shrink(found: list[int], least: Sequence[int], room: int) -> None:
    """Make the widest columns narrower, but not narrower than `least`, until all fit."""
    while (excess := sum(found) - room) > 0:
        wide = [place for place, width in enumerate(found) if width > least[place]]
        if not wide:
            return
        widest = max(found[place] for place in wide)
        places = [place for place in wide if found[place] == widest]
        next_width = max(
            max((found[place] for place in wide if found[place] < widest), default=0),
            max(least[place] for place in places),
        )
        for number, place in enumerate(places):
            share = min(widest - next_width, round(excess / (len(places) - number)))
            found[place] -= share
            excess -= share


def _lines(
    out: Console,
    row: Sequence[str],
    columns: Sequence[Column],
    widths: Sequence[int],
    *,
    at_bottom: bool = False,
) -> Iterator[tuple[str, ...]]:
    """Yield the lines of a row, each as the texts of its cells."""
    cells = [
        [*_fitted(out, text, width, right=column.right)]
        for text, column, width in zip(row, columns, widths, strict=True)
    ]
    height = max(map(len, cells))
    for cell, width in zip(cells, widths, strict=True):
        blank = [" " * width] * (height - len(cell))
        cell[:] = [*blank, *cell] if at_bottom else [*cell, *blank]
    yield from zip(*cells, strict=True)


@lru_cache(maxsize=10_000)  # the same words fill many cells
def _fitted(out: Console, text: str, width: int, *, right: bool) -> Sequence[str]:
    """Return the lines of a cell, each padded to a width."""
    text = text.rstrip(" ") if right else text
    space = width - cell_len(text)
    if space >= 0 and text.isprintable():
        return [" " * space + text if right else text + " " * space]
    text = text.strip(" ") if space < 0 else text
    wrapped = Text(text).wrap(out, width, justify="right" if right else "left", overflow="fold")
    return [line.plain for line in wrapped]


def _width(text: str) -> int:
    return max(map(cell_len, text.splitlines()), default=0)


@lru_cache(maxsize=10_000)
def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


@lru_cache(maxsize=10_000)
def _widest_character(text: str) -> int:
    return max(map(cell_len, text), default=0)
