"""The colour, symbol and dash of each entry that is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

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

The first 11 entries of a colour also differ in print without colours.
"""
DASHES = ("solid", "8px,4px", "2px,3px", "8px,3px,2px,3px", "14px,4px")
"""The dashes: architectures of the same colour differ in the dash, as do variants of one."""
SHADES = ("#66AAD1", "#8A5F00", "#00674B", "#854F6D", "#346C8C", "#8A3D00", "#B870F5", "#C28F85",
          "#7A42A6")  # fmt: skip
"""A darker or lighter shade of each colour, for every second entry of an architecture."""
GREY, DARK_GREY = "#888888", "#6B6B6B"
KINDS: Mapping[str, tuple[str, ...]] = {
    "attention": ("vanilla", "bert", "gpt", "llama", "t5", "vit", "modernbert", "hub"),
    "windows": ("longformer", "bigbird", "transformer_xl", "reformer", "linformer"),
    "linear": ("linear_attention", "performer", "gla", "gated_deltanet", "kimi_delta"),
    "recurrent": ("mamba2", "mamba3", "rwkv7", "xlstm"),
    "hybrid": ("hybrid", "griffin"),
    "control": ("identity", "convolution", "lstm", "full_attention"),
}
"""The built-in architectures by kind; a new one goes to the end of its kind, so that none moves."""
KIND_COLORS = {
    "attention": 0, "windows": 1, "linear": 2, "recurrent": 5, "hybrid": 6
}  # fmt: skip
"""The place in `COLORS` of the colour of each kind. Controls are grey."""
OTHER_COLORS = [place for place in range(len(COLORS)) if place not in KIND_COLORS.values()]
"""The places of the colours of plug-ins."""
METHODS = " + "
"""The text before each method in the name of an entry."""


def style_entries(
    pairs: Iterable[tuple[str, str]], architectures: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Return the name and style of each entry, given its architecture and name.

    A built-in architecture has the colour of its kind, and its place in the kind sets symbol and
    dash. A plug-in has one of the other colours, by its place in the sorted names of all plug-ins:
    those of the entries and those in `architectures`. No plug-in changes the style of a built-in
    one, and no style depends on which architectures have run. Entries of one architecture differ in
    shade and dash. Colour and dash of an entry with methods follow from its place among all such
    entries: many methods are compared on one architecture, whose colour would not tell them apart.
    """
    pairs = sorted(set(pairs))
    built_in = {name for names in KINDS.values() for name in names}
    names = {*architectures, *(architecture for architecture, _ in pairs)} - built_in
    styles_of = _base_styles(sorted(names))
    drawn: Counter[str] = Counter()
    styles = []
    for architecture, entry in pairs:
        base = styles_of[architecture]
        if METHODS in entry:
            place = drawn[METHODS]
            drawn[METHODS] += 1
            shades, dash = (COLORS[place % len(COLORS)],) * 2, place // len(COLORS)
            variant = 0
        else:
            variant = drawn[architecture]
            drawn[architecture] += 1
            shades, dash = base.shades, base.dash
        symbol, outline = SYMBOLS[base.symbol % len(SYMBOLS)]
        styles.append(
            {
                "name": entry,
                "architecture": architecture,
                "color": shades[variant % 2],
                "symbol": symbol,
                "outline": outline,
                "dash": DASHES[(dash + variant) % len(DASHES)],
            }
        )
    return styles


class _Style(NamedTuple):
    """The style of an architecture: its two shades, and the numbers of its symbol and dash."""

    shades: tuple[str, str]
    symbol: int
    dash: int


def _base_styles(plugins: Sequence[str]) -> dict[str, _Style]:
    """Return the style of each built-in architecture and of each plug-in."""
    found: dict[str, _Style] = {}
    for kind, names in KINDS.items():
        color = KIND_COLORS.get(kind)
        shades = (GREY, DARK_GREY) if color is None else (COLORS[color], SHADES[color])
        for place, name in enumerate(names):
            found[name] = _Style(shades, len(found), place)  # kinds differ in their symbols too
    for place, name in enumerate(plugins):
        color = OTHER_COLORS[place % len(OTHER_COLORS)]
        found[name] = _Style((COLORS[color], SHADES[color]), place, place // len(OTHER_COLORS))
    return found
