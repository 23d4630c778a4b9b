"""Texts that others read: without the user's paths, and without what a program would obey."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TextIO

HIDDEN = "…"
FOLDER_OPTIONS = frozenset({"--home", "--bench-home", "--bench_home", "--tfds-data-dir"})
"""Options whose value is a folder, whatever the value looks like."""
DATA_SET = re.compile(r"tfds:\w[\w.+-]*(?:/[\w.+-]+)?(?::[\w.+*-]+)?")
"""A data set of TFDS with its configuration and version: a public name that contains a slash."""
PATH = re.compile(r"[/\\]|^~|^\.\.?$")


def shareable_command(arguments: Iterable[str], paths: Collection[Path] = ()) -> str:
    """Return the `bench` command with its arguments, every path replaced by "…".

    `paths` holds the arguments that the command line's parser took for paths. Without it, a
    relative path without a slash looks like any other word.
    """
    words, is_folder = ["bench"], False
    for word in arguments:
        name, equals, value = word.partition("=")
        if is_folder or (not word.startswith("-") and Path(word) in paths):
            words.append(HIDDEN)
        elif word.startswith("--") and equals:
            hidden = name in FOLDER_OPTIONS or Path(value) in paths
            words.append(f"{name}={HIDDEN if hidden else without_path(value)}")
        else:
            words.append(without_path(word))
        is_folder = word in FOLDER_OPTIONS
    return " ".join(words)


def without_path(word: str) -> str:
    """Return a word without the path in it: `files:PATH`, `name=PATH` or the word itself."""
    if word.startswith("files:"):
        return f"files:{HIDDEN}"
    name, equals, value = word.partition("=")
    if equals and not PATH.search(name):
        return f"{name}={without_path(value)}"
    return HIDDEN if PATH.search(word) and not DATA_SET.fullmatch(word) else word


CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""A control character, or one that orders the text after it; line breaks and tabs stay."""


def printable(text: str) -> str:
    """Return a text with its control characters written out: escape sequences begin with one."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


FORMULA = re.compile(r"[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
"""The start of a text that a spreadsheet would run; some take the wide forms too."""


def without_formula(value: Any) -> Any:
    """Return a value of a CSV file; a text that a spreadsheet would run gets an apostrophe."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


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
