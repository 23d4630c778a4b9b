"""A cell's process that is a new interpreter, and how processes are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from suite.execution.executors import entry


class Child(Protocol):
    """The little of a process that both ways of starting one share."""

    pid: int
    sentinel: int

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""


class SpawnedChild:
    """A child that is a new interpreter."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.sentinel, held_by_child = os.pipe()  # readable once the child is gone
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", entry.__name__, str(folder)],
                env={**os.environ, **environment},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                pass_fds=(held_by_child,),
            )
        finally:
            os.close(held_by_child)
        self.pid = self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while the process runs."""
        code = self._process.poll()
        if code is not None and self.sentinel >= 0:
            os.close(self.sentinel)
            self.sentinel = -1
        return code


def kill_group(pid: int) -> None:
    """Kill a child and all it started; before it leads a group, the child alone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
        return
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
