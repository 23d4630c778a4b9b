"""A cell's process that is a new interpreter, and other modules in a process of their own.

A dead process keeps its id, and its group's, until it is reaped. A child therefore kills the group
first and reaps last: a signal to a reaped id could hit an unrelated process.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from suite.execution.executors import entry

LOG_LINE = re.compile(r"[IWEF]\d{4} |WARNING: All log messages")
"""A line that TensorFlow logs."""

KILL_SECONDS = 5.0


class SpawnedChild:
    """A child that is a new interpreter; `sentinel` becomes readable when it ends."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.sentinel, held_by_child = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*interpreter(entry.__name__), str(folder), str(os.getpid())],
                env={**interpreter_environment(), **environment},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                pass_fds=(held_by_child,),
            )
        except BaseException:
            os.close(self.sentinel)
            raise
        finally:
            os.close(held_by_child)
        self.pid = self._process.pid

    def exit_code(self) -> int | None:
        """Return None while the process runs; then kill its group, reap it, return its exit code.

        The code is negative for a signal.
        """
        if self._process.returncode is None and _has_ended(self.pid):
            self.close()
        return self._process.returncode

    def kill(self) -> None:
        if self._process.returncode is None:
            for kill in (os.killpg, os.kill):  # before it leads a group, the process alone
                with suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)
                    return

    def close(self) -> None:
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_SECONDS)
        if self.sentinel >= 0:
            os.close(self.sentinel)
            self.sentinel = -1


def interpreter(module: str) -> list[str]:
    """Return the command that runs a module; the working directory hides no package (-P)."""
    return [sys.executable, "-P", "-m", module]


def interpreter_environment() -> dict[str, str]:
    """Return the environment in which a new interpreter finds the modules that this one finds."""
    paths = [path or str(Path.cwd()) for path in sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def run_module(
    module: str, *arguments: object, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a module in a new interpreter with no input, and return what it wrote."""
    return subprocess.run(
        [*interpreter(module), *map(str, arguments)],
        env={**interpreter_environment(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )


def why_ended(process: subprocess.CompletedProcess[str]) -> str:
    """Return the signal that ended a process, or the last line of its errors that is no log."""
    if process.returncode < 0:
        return signal.Signals(-process.returncode).name
    lines = [line for line in process.stderr.strip().splitlines() if not LOG_LINE.match(line)]
    return (lines or [f"exit code {process.returncode}"])[-1]


def _has_ended(pid: int) -> bool:
    """Whether a child of this process has ended, without reaping it."""
    if hasattr(os, "waitid"):
        try:
            return bool(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        except ChildProcessError:  # the host application ignores SIGCHLD: the kernel reaped it
            return True
    import psutil  # macOS, before Python 3.13

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
