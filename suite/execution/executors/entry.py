"""Start a cell's process: detach it from the parent's terminal, then run the worker or a program.

Standard library only. Forked children call `run`; spawned children run this file as a module.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PRELOADED = ("suite.worker.main",)
"""The modules that a fork server imports before it forks."""
PROGRAM = "program.json"
"""The file of a folder without a job: the name of a module, and the arguments of its `main`."""
PR_SET_PDEATHSIG = 1


def run(folder: str, parent: int) -> None:
    """Run the job or program in `folder` in this process, which `parent` started for it."""
    _detach(Path(folder))
    _die_with(parent)
    program = Path(folder, PROGRAM)
    if program.exists():
        module, *arguments = json.loads(program.read_text())
        importlib.import_module(module).main(*arguments)
        return
    from suite.worker.main import work

    work(Path(folder))


def _detach(folder: Path) -> None:
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
    if sys.platform == "linux":
        with suppress(OSError):  # the kernel's first choice when memory runs out
            Path("/proc/self/oom_score_adj").write_text("900")


def _die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, where it can (Linux).

    Otherwise a cell would run for hours after its invocation was killed, and disturb the next one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call
        raise SystemExit(1)


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
