"""Markdown: escaped texts, figures as a reader wants them, tables and footnotes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from suite.analysis.estimates import Estimate
from suite.api import Metric

NONE = "—"
SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "\n": " "})
IN_NAMES = str.maketrans({"[": "&#91;", "]": "&#93;", "`": "&#96;", "*": "&#42;"})
"""The characters that could turn a name into a link or another format."""
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(text: str) -> str:
    """Escape text for a table, which a web page may show as HTML."""
    return text.translate(SPECIAL)


def escape_name(text: str) -> str:
    """Escape the name of an entry, which a submitter may choose."""
    return escape(text).translate(IN_NAMES)


def number(value: float | None) -> str:
    """Return a figure with three decimals below 10, and fewer above."""
    if value is None:
        return NONE
    size = abs(value)
    decimals = 3 if size < 9.9995 else 1 if size < 999.95 else 0
    return f"{value:,.{decimals}f}"


def decimal(value: float | None, places: int = 2) -> str:
    """Return a figure with a number of decimal places."""
    return NONE if value is None else f"{value:.{places}f}"


def small(value: float | None) -> str:
    """Return a difference with two significant digits."""
    if value is None:
        return NONE
    return f"{value:.2g}" if abs(value) < 100 else f"{value:,.0f}"


def interval(estimate: Estimate | None, places: int | None = None) -> str:
    """Return an estimate with its interval."""
    if estimate is None:
        return NONE
    value, low, high = (
        number(end) if places is None else decimal(end, places)
        for end in (estimate.value, estimate.low, estimate.high)
    )
    return value if estimate.ends is None else f"{value} [{low}, {high}]"


def metric_name(metric: Metric) -> str:
    """Return the name of a metric with an arrow to the better side."""
    return f"{escape(metric.name.replace('_', ' '))} {'↑' if metric.higher_is_better else '↓'}"


def shortened(texts: Iterable[str], most: int = 3) -> str:
    """Return texts as a list, of which the last are counted if there are more than `most`."""
    texts = list(texts)
    rest = [f"+ {len(texts) - most}"] if len(texts) > most else []
    return ", ".join([*texts[:most], *rest]) or NONE


class Footnotes:
    """The footnotes of one page: each text once, numbered in the order of its first use."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def after(self, text: str, notes: Iterable[str]) -> str:
        """Return a text with the numbers of its notes."""
        numbers = (str(self._numbers.setdefault(note, len(self._numbers) + 1)) for note in notes)
        return text + " ".join(numbers).translate(SUPERSCRIPT)

    def __str__(self) -> str:
        """Return the footnotes as one paragraph; "" without any."""
        notes = (
            f"{str(number).translate(SUPERSCRIPT)} {escape(note)}"
            for note, number in self._numbers.items()
        )
        return "; ".join(notes) + "." if self._numbers else ""
