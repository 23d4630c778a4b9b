"""Texts of records without what a terminal would obey: records may come from anyone."""

from __future__ import annotations

from typing import Any, TextIO

CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}
"""Control characters, as Python writes them; line breaks and tabs stay."""


def printable(text: str) -> str:
    """Return a text with its control characters written out: escape sequences begin with one."""
    return text.translate(CONTROLS)


class PrintableStream:
    """A text stream that writes control characters out.

    Rich writes its own sequences to `rich_proxied_file`.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write a text; a leading carriage return overwrites a line of progress."""
        start = text[:1] if text.startswith("\r") else ""
        return self.rich_proxied_file.write(start + printable(text.removeprefix(start)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)
