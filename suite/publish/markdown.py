"""Markdown tables, and figures as a reader wants them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from suite.analysis.estimates import Estimate

NONE = "—"
SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
IN_NAMES = {"[": "&#91;", "]": "&#93;", "`": "&#96;", "*": "&#42;"}
"""The characters that could turn a name into a link or another format."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int = 1) -> str:
    """Return a table; columns from `numbers_from` on are aligned to the right."""
    marks = ["---" if column < numbers_from else "---:" for column in range(len(head))]
    lines = [head, marks, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def escape(text: str) -> str:
    """Escape text for a table, which a web page may show as HTML."""
    for char, other in SPECIAL.items():
        text = text.replace(char, other)
    return text.replace("\n", " ")


def escape_name(text: str) -> str:
    """Escape the name of an entry, which a submitter may choose."""
    text = escape(text)
    for char, other in IN_NAMES.items():
        text = text.replace(char, other)
    return text


def number(value: float | None) -> str:
    """Return a figure with three decimals below 10, and fewer above."""
    if value is None:
        return NONE
    size = abs(value)
    decimals = 3 if size < 9.9995 else 1 if size < 999.95 else 0
    return f"{value:,.{decimals}f}"


def small(value: float | None) -> str:
    """Return a difference with two significant digits."""
    if value is None:
        return NONE
    return f"{value:.2g}" if abs(value) < 100 else f"{value:,.0f}"


def interval(estimate: Estimate | None) -> str:
    """Return an estimate with its interval."""
    if estimate is None:
        return NONE
    if estimate.low is None or estimate.high is None:
        return number(estimate.value)
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def names(lines: Sequence[str], most: int = 3) -> str:
    """Return names, of which the last are counted if there are more than `most`."""
    return shortened([escape_name(line) for line in lines], most)


def shortened(texts: Sequence[str], most: int = 3) -> str:
    """Return texts as a list, of which the last are counted if there are more than `most`."""
    if not texts:
        return NONE
    rest = [f"+ {len(texts) - most}"] if len(texts) > most else []
    return ", ".join([*texts[:most], *rest])
