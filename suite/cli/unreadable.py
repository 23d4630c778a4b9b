"""Reports of unreadable record files."""

from __future__ import annotations

import sys
from pathlib import Path

import click


def print_unreadable(path: Path, reason: str) -> None:
    """Print a warning about a file that is not a readable record, once for each command."""
    context = click.get_current_context(silent=True)
    known: set[Path] = context.find_root().meta.setdefault(__name__, set()) if context else set()
    if path in known:  # a command may read the records several times
        return
    known.add(path)
    print(
        f"bench: {path} is not a readable record and was left alone: {reason} "
        "`bench doctor` lists such files.",
        file=sys.stderr,
    )
