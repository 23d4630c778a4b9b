"""The status of a finished process. Standard library only: packed cells need it too."""

from __future__ import annotations

from suite.api import Limits, Status
from suite.api.evaluation_lengths import LIMITS, UNFINISHED
from suite.execution.executors.base import ProcessResult


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
        return Status.FAILED, f"{len(result.lost)} machines failed while running it"
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
    """Return whether a process exceeded a limit after its training.

    Its record is then `ok`, and has the reason in place of the missing figures or samples.
    """
    return status in LIMITS and UNFINISHED in (result.outcome or {})
