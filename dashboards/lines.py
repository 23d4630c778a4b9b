"""The colour, symbol and dash of each line that is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8811EE", "#994433",
          "#BB66FF")  # fmt: skip
"""Six colours of Okabe and Ito and three more, which people with colour blindness can tell apart.

A test simulates three kinds of colour blindness, and compares contrast with both backgrounds.
"""
SYMBOLS = (
    ("circle", "●"), ("square", "■"), ("diamond", "◆"), ("triangle-up", "▲"),
    ("triangle-down", "▼"), ("cross", "✚"), ("star", "★"), ("x", "✖"), ("hexagon", "⬢"),
    ("pentagon", "⬟"), ("hourglass", "⧗"),
)  # fmt: skip
"""Plotly's symbols, each with the character of the legend.

The number of symbols and the number of colours have no common divisor, so each of the first 99
architectures has its own combination. The first 11 also differ in print without colours.
"""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SHADES = ((0, 0.0), (0, 0.45), (255, 0.4))
"""The greys that are mixed into an architecture's colour, with their shares: none, black, white."""


def draw_lines(records: pd.DataFrame, architectures: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the name and style of each line in the records.

    The place of an architecture's name in the sorted names of all architectures sets colour and
    symbol. All architectures are those in the records and those in `architectures`, so the styles
    do not depend on which architectures have run. The lines of one architecture differ in shade and
    dash.
    """
    names = sorted({*architectures, *records["architecture"]})
    place_of = {name: place for place, name in enumerate(names)}
    drawn: dict[str, int] = {}
    lines = []
    pairs = (
        records[["architecture", "line"]].drop_duplicates().sort_values(["architecture", "line"])
    )
    for architecture, line in pairs.itertuples(index=False):
        place = place_of[architecture]
        symbol, glyph = SYMBOLS[place % len(SYMBOLS)]
        variant = drawn.get(architecture, 0)
        drawn[architecture] = variant + 1
        lines.append(
            {
                "name": line,
                "architecture": architecture,
                "color": _mixed(COLORS[place % len(COLORS)], *SHADES[variant % len(SHADES)]),
                "symbol": symbol,
                "glyph": glyph,
                "dash": DASHES[variant % len(DASHES)],
            }
        )
    return lines


def _mixed(color: str, level: int, share: float) -> str:
    """Return the colour "#RRGGBB" mixed with the given share of a grey of the given level."""
    parts = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    mixed = [round(part + (level - part) * share) for part in parts]
    return "#" + "".join(f"{part:02X}" for part in mixed)
