"""Footnotes of a page: each text once, numbered in the order of its first use."""

from __future__ import annotations

from collections.abc import Iterable

from suite.analysis.tiers import Tier
from suite.publish.markdown import escape

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
TIERS = frozenset(map(str, Tier))


class Footnotes:
    """The footnotes of one page."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def clear(self) -> None:
        """Start again, as for a new page."""
        self._numbers.clear()

    def after(self, text: str, marks: Iterable[str]) -> str:
        """Return a text with its marks: tiers in brackets, other marks as footnotes."""
        marks = list(marks)
        tiers = ", ".join(mark for mark in marks if mark in TIERS)
        numbers = [
            str(self._numbers.setdefault(mark, len(self._numbers) + 1))
            for mark in marks
            if mark not in TIERS
        ]
        return f"{text}{f' ({tiers})' if tiers else ''}{' '.join(numbers).translate(SUPERSCRIPT)}"

    def text(self) -> str:
        """Return the footnotes as one paragraph; "" without any."""
        notes = (
            f"{str(number).translate(SUPERSCRIPT)} {escape(note)}"
            for note, number in self._numbers.items()
        )
        return "; ".join(notes) + "." if self._numbers else ""
