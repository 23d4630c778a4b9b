"""Paths of this machine among the options of methods: cells and records hold their names alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from suite.api.cell import AppliedMethod
from suite.api.options import Options

PREFIXES = ("/", "./", "../", "~")


class LocalPath(str):
    """The name of a file or a folder of this machine; `path` says where it lies."""

    __slots__ = ("path",)
    path: str

    @classmethod
    def of(cls, path: str) -> LocalPath:
        """Return the name of a path."""
        whole = Path(path).expanduser().absolute()
        named = cls(whole.name)
        named.path = str(whole)
        return named

    @classmethod
    def is_path(cls, value: object) -> bool:
        """Whether the value of an option says where a file or a folder lies."""
        if not isinstance(value, str):
            return False
        with suppress(OSError):  # too long a name
            return value.startswith(PREFIXES) or ("/" in value and Path(value).exists())
        return False


def local_paths(options: Options) -> dict[str, str]:
    """Return the paths among options, by name."""
    return {name: value.path for name, value in options.items() if isinstance(value, LocalPath)}


def without_local_paths(text: str, methods: Iterable[AppliedMethod]) -> str:
    """Return a text with the names of the paths among the options of methods in their place."""
    for method in methods:
        for path in local_paths(method.options).values():
            for form in (path, json.dumps(path)[1:-1]):  # the text may be JSON
                text = text.replace(form, Path(path).name)
    return text
