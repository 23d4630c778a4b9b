"""The tree of errors a user can meet: each is one line that says what was wrong and what to do.

```
LengthwiseError            exit code 2: the user can mend it
├── RequestError           an unknown name, a length that cannot be, an option nobody has
├── PluginError            a task's or architecture's file that cannot be used
├── DataError              a source that is missing, empty or malformed
├── HomeError              a folder for records that cannot be written
└── TrackingError          a tracking server that cannot be reached
Unsupported                not a mistake: this architecture cannot do what was asked, and why
```
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LengthwiseError(Exception):
    """A mistake the user can mend; printed as one line, without a traceback."""

    def __init__(self, rule: str, *, received: object = None, remedy: str = "") -> None:
        """State the broken rule, what was received, and what to do."""
        parts = [rule.rstrip(".") + "."]
        if received is not None:
            parts.append(f"Received: {received}.")
        if remedy:
            parts.append(remedy.rstrip(".") + ".")
        # What was received may hold anything, line breaks too.
        super().__init__(" ".join(" ".join(parts).splitlines()))


class RequestError(LengthwiseError):
    """A request that names what does not exist or cannot be."""


class PluginError(LengthwiseError):
    """A file or entry point that should give a task or an architecture and does not."""


class DataError(LengthwiseError):
    """A source of data that is missing, empty or malformed."""


class HomeError(LengthwiseError):
    """A folder for records that cannot be used."""


class TrackingError(LengthwiseError):
    """A tracking server that cannot be reached."""


class Unsupported(Exception):
    """Raised where an architecture is asked to build what it cannot; the cell is `unsupported`."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> RequestError:
    """Build the error for a name that is not among the known ones, with the nearest of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    choices = ", ".join(names) if names else "none"
    return RequestError(
        f"There is no {kind} of that name", received=repr(name), remedy=f"{hint}Known: {choices}"
    )
