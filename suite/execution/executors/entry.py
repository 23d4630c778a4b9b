"""Starts the child: cuts it loose from the parent's terminal, then hands over to the worker.

Standard library only. Forked children call `run`; spawned ones run this file as a module.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PRELOADED = ("suite.execution.executors.tied", "suite.worker.main")
PR_SET_PDEATHSIG = 1


def run(folder: str) -> None:
    """Run the job in `folder` in this process, which is the child's own."""
    _cut_loose(Path(folder))
    from suite.worker.main import work

    work(Path(folder))


def _cut_loose(folder: Path) -> None:
    """Give the child its own process group and log, and tie its life to its parent's."""
    with suppress(PermissionError):  # a spawned child already leads its session
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - it lives as long as the process
    die_with_parent()
    if sys.platform == "linux":
        with suppress(OSError):  # where memory runs out, this process is the one to go
            Path("/proc/self/oom_score_adj").write_text("900")


def die_with_parent() -> None:
    """Let the system kill this process when its parent ends, where it can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    run(sys.argv[1])
