"""Run the conformance kit, each architecture in a fresh process, and keep its reports."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.api import PRECISIONS, Cell, Form, Job, Limits, Mode, Recipe, Status, Track
from suite.api.code_digest import digest_costs
from suite.api.conformance import CheckResult, Verdict
from suite.api.files import LOCK_FILE, held
from suite.execution.executors.base import ProcessResult, classify_exit
from suite.execution.executors.local import LocalExecutor
from suite.matrix.planned_cells import PlannedCell
from suite.records.conformance_reports import (
    CheckedCode,
    ConformanceReport,
    read_report,
    write_report,
)
from suite.records.environment import (
    has_accelerator,
    needs_spawn,
    num_cores,
    total_memory_bytes,
)
from suite.records.model_sizes import MODEL_SIZES
from suite.records.naming import new_run_id
from suite.records.schema import Conformance, utc_now
from suite.records.store import Store

LIMITS = Limits(seconds=1_800, memory_bytes=total_memory_bytes() // 2)
WITHOUT_ACCELERATORS = ("",)
"""The accelerators of a process that sees none: the bounds are those of a processor."""
SIZE = MODEL_SIZES["tiny"]
RUNS_TO_THE_END = "the kit runs to its end"


@dataclass(frozen=True, slots=True)
class Checking:
    """The kit reported progress: `phase` and `fraction`."""

    code: CheckedCode
    progress: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """The kit has checked an architecture, and its report was written."""

    report: ConformanceReport


def check(
    codes: Iterable[CheckedCode], store: Store, search_path: Sequence[str] = ()
) -> Iterator[Checking | Checked]:
    """Run the kit on the code of each architecture, one after another, and write the reports.

    The processes see no accelerator. A process that ends before the kit does fails one check.
    """
    executor = LocalExecutor(
        spawn=needs_spawn(), accelerators=WITHOUT_ACCELERATORS if has_accelerator() else ()
    )
    try:
        for code in codes:
            folder = store.new_scratch(new_run_id(utc_now()))
            try:
                with held(folder / LOCK_FILE):
                    yield from _check(code, executor, make_job(code, folder, search_path), store)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        executor.close()


def _check(
    code: CheckedCode, executor: LocalExecutor, job: Job, store: Store
) -> Iterator[Checking | Checked]:
    for update in executor.updates(job, LIMITS):
        if update.progress is not None:
            yield Checking(code, update.progress)
        if update.result is not None:
            report = make_report(code, update.result)
            write_report(store, report)
            yield Checked(report)


def check_ranked(
    planned_cells: Iterable[PlannedCell], store: Store, search_path: Sequence[str]
) -> Iterator[Checking | Checked]:
    """Run the kit on the code of ranked cells that has no report."""
    cells = [planned.cell for planned in planned_cells if needs_report(planned)]
    names = dict.fromkeys(
        (cell.architecture, cell.architecture_version, cell.backend) for cell in cells
    )
    codes = [code_of(*name, search_path) for name in names]
    missing = [code for code in codes if read_report(store, code) is None]
    if missing:
        yield from check(missing, store, search_path)


def needs_report(planned: PlannedCell) -> bool:
    """Return whether a cell's record has no rank without a report: a ranked, standard final run."""
    return planned.ranking.ranked and planned.ranking.track == Track.STANDARD


def code_of(
    architecture: str, version: int, backend: str, search_path: Sequence[str]
) -> CheckedCode:
    """Return the present code of an architecture."""
    digest = digest_costs(architecture, search_path, backend)
    return CheckedCode(architecture=architecture, version=version, backend=backend, digest=digest)


def find_conformance(store: Store, cell: Cell, digest: str | None) -> Conformance | None:
    """Return the kit's result for the code that a cell ran; None where it has no report."""
    code = CheckedCode(
        architecture=cell.architecture,
        version=cell.architecture_version,
        backend=cell.backend,
        digest=digest or "",
    )
    report = read_report(store, code)
    return report.conformance if report else None


def make_job(code: CheckedCode, folder: Path, search_path: Sequence[str]) -> Job:
    """Return the job of a check; its cell names the architecture and the backend alone."""
    cell = Cell(
        mode=Mode.PROBE,
        task=None,
        form=Form.ENCODER,
        source=None,
        options={},
        architecture=code.architecture,
        task_version=None,
        architecture_version=code.version,
        sequence_length=0,
        batch_size=0,
        model_size=SIZE.name,
        steps=0,
        precision=PRECISIONS[0],
        backend=code.backend,
        threads=num_cores(),
        seed=0,
    )
    return Job(
        cell=cell,
        model_size=SIZE,
        recipe=Recipe(),
        source=None,
        search_path=tuple(search_path),
        folder=folder,
        cache=folder,
        checkpoint=folder / "none",
        check_at=tuple(MODEL_SIZES.values()),
    )


def make_report(code: CheckedCode, result: ProcessResult) -> ConformanceReport:
    """Return the report of a finished process, for the code that the process itself read."""
    status, reason = classify_exit(result, LIMITS)
    if status is Status.OK and result.outcome is not None:
        results = [CheckResult.from_dict(fields) for fields in result.outcome["checks"]]
    else:
        results = [CheckResult(RUNS_TO_THE_END, "", Verdict.FAILED, reason=reason or str(status))]
    digest = (result.environment or {}).get("cost_digest") or code.digest
    return ConformanceReport(
        code=code.model_copy(update={"digest": digest}),
        checked_at=utc_now(),
        results=tuple(results),
    )
