"""The interface between the runner and the places where cells run.

Standard library only: packed cells need it too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from suite.api import Job, Limits, Status
from suite.api.evaluation_lengths import LIMITS, UNFINISHED

POLL_SECONDS = 0.2
"""The longest time that an executor's `wait` blocks without news."""


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """The result of a cell's process: its outcome file, its exit code and the limit it exceeded."""

    outcome: Mapping[str, Any] | None
    exit_code: int
    """Negative for a signal, as in `subprocess`."""
    stopped: str | None
    """The limit that ended the process ("time", "memory" or "output"), or None. "system": killed
    while the kernel was out of memory. "system, shared": the same, while other cells
    ran. "lost": the machine failed. "interrupt": the user stopped the run."""
    log_tail: str
    environment: Mapping[str, Any] | None = None
    """The code that the process ran, and its machine if that is not the parent's."""
    lost: tuple[str, ...] = ()
    """The reasons of earlier losses: after each, the cell was started on another machine."""
    seconds: float | None = None
    """The time from the start of the process to its end, without pauses and without a wait for a
    machine; None if no process was watched to its end."""


@dataclass(frozen=True, slots=True)
class Update:
    """News of a running cell: a line of progress, or its result."""

    run_id: str
    progress: Mapping[str, Any] | None = None
    result: ProcessResult | None = None


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return the fields of the environment that the worker wrote; none if it never started."""
    with suppress(FileNotFoundError):
        return dict(json.loads((folder / "provenance.json").read_bytes()))
    return {}


class Executor(Protocol):
    """A place where cells run."""

    def has_room(self) -> bool:
        """Whether another cell may start now."""

    def start(self, run_id: str, job: Job, limits: Limits) -> None:
        """Start a cell."""

    def wait(self) -> list[Update]:
        """Wait for news for at most `POLL_SECONDS`, and return it."""

    def close(self) -> None:
        """Stop all running cells and release all resources."""


def classify_exit(result: ProcessResult, limits: Limits) -> tuple[Status, str | None]:
    """Return the status of a finished process, and the reason unless the status is `ok`."""
    if result.stopped == "time":
        return Status.TIMED_OUT, f"exceeded the time limit of {limits.seconds:.0f} s"
    if result.stopped == "memory":
        gibibytes = limits.memory_bytes / 2**30
        return Status.OUT_OF_MEMORY, f"exceeded the memory limit of {gibibytes:.1f} GiB"
    if result.stopped == "system":
        return Status.OUT_OF_MEMORY, "killed while the system was out of memory"
    if result.stopped == "system, shared":
        # Whose memory was too much is unknown, so this is no result of the cell.
        reason = "killed while the system was out of memory and other cells ran: use --parallel 1"
        return Status.INTERRUPTED, reason
    if result.stopped == "lost":
        count = len(result.lost)
        machines = "a machine" if count == 1 else f"{count} machines"
        return Status.FAILED, f"{machines} failed while running it: {result.lost[-1]}"
    if result.stopped == "output":
        return Status.FAILED, "wrote more output than the log may hold"
    if result.outcome is not None and UNFINISHED not in result.outcome:
        return Status(result.outcome["status"]), result.outcome.get("reason")
    if result.exit_code < 0:
        if "std::bad_alloc" in result.log_tail:
            return Status.OUT_OF_MEMORY, "an allocation failed in native code (std::bad_alloc)"
        return Status.FAILED, f"killed by signal {-result.exit_code}"
    code = result.exit_code
    return Status.FAILED, f"ended with exit code {code} before its outcome was complete"


def training_stands(result: ProcessResult, status: Status) -> bool:
    """Return whether a process exceeded a limit after its training, so that its record is `ok`."""
    return status in LIMITS and UNFINISHED in (result.outcome or {})
