"""Facts about a cell's process from the system: its memory, its state, and kills for memory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

try:
    import psutil
except ImportError:  # a pack may run where only Keras, NumPy and a backend are installed
    psutil = None


def held_bytes(pid: int) -> int:
    """Return a process's resident memory without mapped files and shared pages, 0 if unknown.

    The pages of shared libraries are excluded, because the kernel can reclaim them.
    """
    if psutil is None:
        return _held_bytes_from_proc(pid)
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss) - int(getattr(memory, "shared", 0))  # macOS has no such field


def _held_bytes_from_proc(pid: int) -> int:
    try:
        words = Path(f"/proc/{pid}/statm").read_bytes().split()
        pages = int(words[1]) - int(words[2])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped, as by SIGSTOP or by a debugger; False if unknown."""
    if psutil is not None:
        try:
            stopped = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
            return psutil.Process(pid).status() in stopped
        except psutil.Error:
            return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in ("T", "t")


def kills_for_memory() -> int | None:
    """Return how many processes the kernel has killed for lack of memory, or None if unknown."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None
