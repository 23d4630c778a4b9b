"""The colour, symbol and dash of each entry that is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8811EE", "#994433",
          "#BB66FF")  # fmt: skip
"""Six colours of Okabe and Ito and three more, which people with colour blindness can tell apart.

A test simulates three kinds of colour blindness, and compares contrast with both backgrounds.
"""
SYMBOLS = (
    ("circle", "M5 1A4 4 0 0 1 5 9A4 4 0 0 1 5 1Z"), ("square", "M1.5 1.5H8.5V8.5H1.5Z"),
    ("diamond", "M5 .5L9.5 5L5 9.5L.5 5Z"), ("triangle-up", "M5 1L9.3 8.5H.7Z"),
    ("triangle-down", "M5 9L.7 1.5H9.3Z"),
    ("cross", "M3.5 1H6.5V3.5H9V6.5H6.5V9H3.5V6.5H1V3.5H3.5Z"),
    ("star", "M5 .5L6.2 3.7L9.5 3.8L6.9 5.8L7.8 9L5 7.1L2.2 9L3.1 5.8L.5 3.8L3.8 3.7Z"),
    ("x", "M2.2 .8L5 3.6L7.8 .8L9.2 2.2L6.4 5L9.2 7.8L7.8 9.2L5 6.4L2.2 9.2L.8 7.8L3.6 5L.8 2.2Z"),
    ("hexagon", "M5 .8L8.7 2.9V7.1L5 9.2L1.3 7.1V2.9Z"),
    ("pentagon", "M5 .8L9 3.8L7.5 8.7H2.5L1 3.8Z"), ("hourglass", "M1 1H9L1 9H9Z"),
)  # fmt: skip
"""Plotly's symbols, each with its outline for the legend, an SVG path in a box of 10 by 10.

The number of symbols and the number of colours have no common divisor, so each of the first 99
architectures has its own combination. The first 11 also differ in print without colours.
"""
DASHES = ("solid", "8px,4px", "2px,3px", "8px,3px,2px,3px", "14px,4px")
"""The dashes: architectures of the same colour differ in the dash, as do variants of one."""
SHADES = ("#66AAD1", "#8A5F00", "#00674B", "#854F6D", "#346C8C", "#8A3D00", "#B870F5", "#C28F85",
          "#7A42A6")  # fmt: skip
"""A darker or lighter shade of each colour, for every second entry of an architecture."""
METHODS = " + "
"""The text before each method in the name of an entry."""


def style_entries(
    pairs: Iterable[tuple[str, str]], architectures: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Return the name and style of each entry, given its architecture and name.

    The place of an architecture's name in the sorted names of all architectures sets colour, symbol
    and dash. All architectures are those of the entries and those in `architectures`, so the styles
    do not depend on which architectures have run. Entries of one architecture differ in shade and
    dash. Colour and dash of an entry with methods follow from its place among all such entries:
    many methods are compared on one architecture, whose colour would not tell them apart.
    """
    pairs = sorted(set(pairs))
    names = sorted({*architectures, *(architecture for architecture, _ in pairs)})
    drawn: Counter[str] = Counter()
    styles = []
    for architecture, entry in pairs:
        place = names.index(architecture)
        symbol, outline = SYMBOLS[place % len(SYMBOLS)]
        if METHODS in entry:
            place, variant = drawn[METHODS], 0
            drawn[METHODS] += 1
        else:
            variant = drawn[architecture]
            drawn[architecture] += 1
        styles.append(
            {
                "name": entry,
                "architecture": architecture,
                "color": (COLORS, SHADES)[variant % 2][place % len(COLORS)],
                "symbol": symbol,
                "outline": outline,
                "dash": DASHES[(place // len(COLORS) + variant) % len(DASHES)],
            }
        )
    return styles
