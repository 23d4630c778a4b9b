"""The record of a finished process: its status, its reason and its measurements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from suite.api import Limits, Status
from suite.api.evaluation_lengths import LIMITS, UNSCORED_LENGTHS, with_reason
from suite.execution.executors.base import ProcessResult
from suite.matrix.expansion import PlannedCell
from suite.records.schema import Conformance, Failure, Invocation, Record


def make_record(
    *,
    run_id: str,
    planned: PlannedCell,
    result: ProcessResult,
    verdict: tuple[Status, str | None],
    times: tuple[datetime, datetime],
    environment: Mapping[str, Any],
    invocation: Invocation,
    limits: Limits,
    digest: str | None,
    conformance: Conformance | None,
) -> Record:
    """Return the record of a run; `verdict` is the result of `classify_exit`.

    `environment` describes the parent; the worker adds the facts that only its process knows.
    `digest` is the digest of the source's bytes when the run was planned. `conformance` is the
    conformance kit's result for the code that ran.

    A training that exceeded a limit at an evaluation length stands: that length and the longer ones
    have the reason in place of figures.
    """
    status, reason = verdict
    outcome = dict(result.outcome or {})
    outcome.pop("status", None)
    outcome.pop("reason", None)
    lengths = outcome.pop(UNSCORED_LENGTHS, ())
    if lengths and status in LIMITS:
        outcome["reports"] = with_reason(outcome["reports"], lengths, status, str(reason))
        outcome["worker_seconds"] = (times[1] - times[0]).total_seconds()
        status, reason = Status.OK, None
    data = outcome.pop("data", None)
    if data is None and digest is not None:
        data = {}
    return Record(
        run_id=run_id,
        cell_id=planned.cell.id,
        cell=planned.cell,
        ranking=planned.ranking,
        status=status,
        reason=reason,
        started_at=times[0],
        ended_at=times[1],
        environment={**environment, **outcome.pop("environment", {})},
        conformance=conformance,
        invocation=invocation,
        data=None if data is None else {**data, "digest": digest},
        error=_failure(outcome.pop("error", None), status, reason),
        details={
            **outcome.pop("details", {}),
            "limits": _describe(limits),
            **({"lost": result.lost} if result.lost else {}),
        },
        log_tail=result.log_tail if status is not Status.OK else "",
        **outcome,
    )


def classify_exit(result: ProcessResult, limits: Limits) -> tuple[Status, str | None]:
    """Return the status of a finished process, and the reason unless the status is `ok`."""
    if result.stopped == "time":
        return Status.TIMED_OUT, f"exceeded the time limit of {limits.seconds:.0f} s"
    if result.stopped == "memory":
        gibibytes = limits.memory_bytes / 2**30
        return Status.OUT_OF_MEMORY, f"exceeded the memory limit of {gibibytes:.1f} GiB"
    if result.stopped == "system":
        return Status.OUT_OF_MEMORY, "killed while the system was out of memory"
    if result.stopped == "lost":
        return Status.FAILED, f"{len(result.lost)} machines failed while running it"
    if result.stopped == "output":
        return Status.FAILED, "wrote more output than the log may hold"
    if result.outcome is not None and UNSCORED_LENGTHS not in result.outcome:
        return Status(result.outcome["status"]), result.outcome.get("reason")
    if result.exit_code < 0:
        if "std::bad_alloc" in result.log_tail:
            return Status.OUT_OF_MEMORY, "an allocation failed in native code (std::bad_alloc)"
        return Status.FAILED, f"killed by signal {-result.exit_code}"
    return Status.FAILED, f"ended with exit code {result.exit_code} and without an outcome"


def _failure(error: Mapping[str, Any] | None, status: Status, reason: str | None) -> Failure | None:
    if error is not None:
        return Failure(**error)
    return Failure(type=status, message=reason or "") if status is Status.FAILED else None


def _describe(limits: Limits) -> dict[str, float]:
    return {"seconds": limits.seconds, "memory_bytes": limits.memory_bytes}
