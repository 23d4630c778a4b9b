"""The job of a planned cell, the trained models that it takes, and the record of its process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from suite.api import Job, Limits, Status
from suite.api.cell import without_local_paths
from suite.api.errors import RequestError
from suite.api.evaluation_lengths import NO_SAMPLES, UNFINISHED, with_reason
from suite.execution.executors.base import ProcessResult, training_stands
from suite.execution.preparation import Prepared
from suite.matrix.planned_cells import PlannedCell
from suite.records.model_sizes import find_model_size
from suite.records.naming import cell_label
from suite.records.schema import Conformance, Data, Environment, Failure, Invocation, Record
from suite.records.store import Store
from suite.records.weights import has_weights


def make_job(
    planned: PlannedCell,
    prepared: Prepared,
    *,
    folder: Path,
    cache: Path,
    checkpoint: Path,
    parents: Mapping[str, Path] | None = None,
) -> Job:
    """Return the job of a cell; `parents` has the folder of the trained model of each role."""
    cell = planned.cell
    return Job(
        cell=cell,
        model_size=find_model_size(cell.model_size),
        recipe=planned.recipe,
        source=planned.source,
        search_path=prepared.search_path,
        folder=folder,
        cache=cache,
        checkpoint=checkpoint,
        source_digest=prepared.digests.get(cell.task or ""),
        parents=parents or {},
        keeps_weights=planned.keeps_weights,
        draws_samples=planned.draws_samples,
    )


def parent_problem(planned: PlannedCell, records: Iterable[Record], store: Store) -> str | None:
    """Return why a cell cannot take the models of its parents, or None if it can.

    `records` are those of the parents, among others; the last of a cell counts.
    """
    if not planned.parents:
        return None
    latest = {record.cell_id: record for record in records}
    for role, cell_id in planned.parents.items():
        record = latest.get(cell_id)
        if record is None or record.status is not Status.OK:
            status = record.status if record else "without a record"
            reason = f": {record.reason}" if record and record.reason else ""
            return f"its parent {cell_id} ({role}) is {status}{reason}"
        if not has_weights(store, record):
            return f"the weights of its parent {cell_id} ({role}) could not be kept"
    return None


def check_no_weights(cells: Iterable[PlannedCell], where: str) -> None:
    """Check that no cell takes or keeps trained weights, since `where` they run has none.

    Raises:
        RequestError: a cell does.
    """
    for planned in cells:
        if planned.parents or planned.keeps_weights:
            does = "takes a trained model" if planned.parents else "keeps its weights"
            raise RequestError(
                f"Trained weights stay on the machine that runs `bench`, and not {where}",
                received=f"{cell_label(planned.cell, planned.ranking)}, which {does}",
                remedy="Run these cells here: `bench run` with the local executor",
            )


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
    earlier: Mapping[str, int] | None = None,
) -> Record:
    """Return the record of a run; `verdict` is the result of `classify_exit`.

    `environment` describes the parent; the worker adds the facts of its own process. `digest` is
    that of the source's bytes when the run was planned. `earlier` counts the cell's runs before, by
    status.

    A training that exceeded a limit at an evaluation length stands: that length and the longer ones
    have the reason in place of figures. If it drew samples, its details have the reason.
    """
    status, reason = verdict
    outcome = dict(result.outcome or {})
    outcome.pop("status", None)
    outcome.pop("reason", None)
    lengths = outcome.pop(UNFINISHED, ())
    if training_stands(result, status):
        if lengths:
            outcome["reports"] = with_reason(outcome["reports"], lengths, status, str(reason))
        else:
            outcome["details"] = {**outcome["details"], NO_SAMPLES: f"{status}: {reason}"}
        outcome["worker_seconds"] = result.seconds
        status, reason = Status.OK, None
    elif result.seconds is not None and "worker_seconds" in outcome:
        # The worker's clock also counts pauses of its process.
        outcome["worker_seconds"] = min(outcome["worker_seconds"], result.seconds)
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
        environment=cast(Environment, {**environment, **outcome.pop("environment", {})}),
        conformance=conformance,
        invocation=invocation,
        data=None if data is None else cast(Data, {**data, "digest": digest}),
        error=_failure(outcome.pop("error", None), status, reason),
        details={
            **outcome.pop("details", {}),
            "limits": asdict(limits),
            **({"parents": dict(planned.parents)} if planned.parents else {}),
            **({"earlier_runs": dict(earlier)} if earlier else {}),
            **({"lost": result.lost} if result.lost else {}),
        },
        log_tail=without_local_paths(result.log_tail, planned.cell.methods)
        if status is not Status.OK
        else "",
        **outcome,
    )


def count_runs(records: Iterable[Record]) -> dict[str, int]:
    """Return the number of runs by status; a copy of a record is no other run."""
    started = {
        record.started_at: str(record.status)
        for record in records
        if record.status not in (Status.SKIPPED, Status.UNSUPPORTED)
    }
    return dict(Counter(started.values()))


def _failure(error: Mapping[str, Any] | None, status: Status, reason: str | None) -> Failure | None:
    if error is not None:
        return Failure(**error)
    return Failure(type=status, message=reason or "") if status is Status.FAILED else None
