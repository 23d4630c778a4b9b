"""Footnotes of a page: each text once, numbered in the order of its first use."""

from __future__ import annotations

from collections.abc import Iterable

from suite.publish.markdown import escape

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Footnotes:
    """The footnotes of one page."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def clear(self) -> None:
        """Start again, as for a new page."""
        self._numbers.clear()

    def after(self, text: str, marks: Iterable[str]) -> str:
        """Return a text with its marks as footnotes."""
        numbers = (str(self._numbers.setdefault(mark, len(self._numbers) + 1)) for mark in marks)
        return text + " ".join(numbers).translate(SUPERSCRIPT)

    def text(self) -> str:
        """Return the footnotes as one paragraph; "" without any."""
        notes = (
            f"{str(number).translate(SUPERSCRIPT)} {escape(note)}"
            for note, number in self._numbers.items()
        )
        return "; ".join(notes) + "." if self._numbers else ""
