"""Reports of unreadable record files."""

from __future__ import annotations

import sys
from pathlib import Path


def tell_set_aside(path: Path, reason: str) -> None:
    """Report a file that is not a record."""
    print(f"bench: a file that is no record was moved to {path}. {reason}", file=sys.stderr)
