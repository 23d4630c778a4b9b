"""Errors for users: each prints one line that says what is wrong and what to do.

```
LengthwiseError            exit code 2: the user can correct it
├── RequestError           an unknown name, an invalid length, an unknown option
├── PluginError            a plug-in or a benchmark file that cannot be used
├── DataError              a source that is missing, empty or malformed
│   └── DataNotPrepared    a data set that must be downloaded or prepared first
├── HomeError              a folder of records or weights that is missing or cannot be used
└── TrackingError          a tracking server that does not answer
Unsupported                not an error of the user: the architecture cannot do what was requested
```
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

_COLOUR = re.compile("\x1b\\[[0-9;]*m")


class LengthwiseError(Exception):
    """An error that the user can correct; the CLI prints one line without a traceback."""

    def __init__(self, rule: str, *, received: object = None, remedy: str = "") -> None:
        """Build the message from the broken rule, what was received, and what to do."""
        parts = [rule.rstrip(".") + "."]
        if received is not None:
            parts.append(f"Received: {received}.")
        if remedy:
            parts.append(remedy.rstrip(".") + ".")
        # `received` may hold line breaks, and the colours of a terminal, as Keras's messages do,
        # and lone surrogates, as names of files and JSON do.
        message = " ".join(_COLOUR.sub("", " ".join(parts)).splitlines())
        super().__init__(message.encode("utf-8", "backslashreplace").decode())


class RequestError(LengthwiseError):
    """A request with an unknown name or an invalid value."""


class PluginError(LengthwiseError):
    """A file or entry point of a plug-in, or a benchmark file, that cannot be used."""


class DataError(LengthwiseError):
    """A source of data that is missing, empty or malformed."""


class DataNotPrepared(DataError):
    """A data set that must be downloaded or prepared first; a plan can be made without it."""


class HomeError(LengthwiseError):
    """A folder of records or weights that is missing or cannot be used."""


class TrackingError(LengthwiseError):
    """A tracking server that does not answer."""


class Unsupported(Exception):
    """An architecture cannot build the requested model; the cell's status is `unsupported`."""


def check_name(kind: str, name: str, known: Collection[str]) -> None:
    """Raise a RequestError for a name that is not known."""
    if name not in known:
        raise unknown_name(kind, name, known)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> RequestError:
    """Return the error for an unknown name; the message suggests the most similar known name."""
    names = sorted(known)
    by_folded = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    hint = f"Did you mean '{by_folded[near[0]]}'? " if near else ""
    choices = ", ".join(names) if names else "none"
    return RequestError(
        f"There is no {kind} of that name", received=repr(name), remedy=f"{hint}Known: {choices}"
    )
