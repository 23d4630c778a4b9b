"""The remains of killed processes: temporary files and folders that no process writes any more."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

from suite.api.files import LOCK_FILE, is_held

STALE_SECONDS = 600.0
"""The age from which a temporary file that no process holds counts as abandoned."""


def remove_if_stale(path: Path) -> None:
    """Remove a file or folder that no process holds and that is not from this moment.

    The age alone does not tell: a clock may be set forward while a process writes. A date in the
    future is that of a clock that was set back since.
    """
    with suppress(FileNotFoundError):
        written = max(each.stat().st_mtime for each in (path, *path.rglob("*")))
        is_new = abs(time.time() - written) <= STALE_SECONDS
        if is_new or is_held(path / LOCK_FILE if path.is_dir() else path):
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
