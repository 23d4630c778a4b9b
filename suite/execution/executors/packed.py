"""Run packed cells on a machine without network or TensorFlow. Standard library only.

A pack is a folder with `jobs/<run id>/job.json`, the encoded data in `cache/`, and the code. Each
cell runs in a new interpreter. Its outcome and `ending.json` remain in its job's folder; running
the pack again runs the remaining cells.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from suite.api import Job, Limits, Status
from suite.api.files import atomic_write_bytes
from suite.execution.endings import classify_exit, training_stands
from suite.execution.executors.base import ProcessResult, read_provenance
from suite.execution.executors.local import LocalExecutor, accelerator_places
from suite.records.environment import describe_environment

JOBS, CACHE, PARTS, ABOUT, RESULT = "jobs", "cache", "parts", "about.json", "ending.json"


def run_pack(pack: Path) -> int:
    """Run the cells without a result, and return the number of cells that failed."""
    limits = Limits(**json.loads((pack / ABOUT).read_text())["limits"])
    waiting = sorted(
        path.parent
        for path in (pack / JOBS).glob("*/job.json")
        if not (path.parent / RESULT).exists()
    )
    failed = 0
    for number, folder in enumerate(waiting, 1):
        job = Job.from_json((folder / "job.json").read_text())
        search_path = tuple(str(path) for path in sorted((pack / PARTS).glob("*")))
        job = replace(
            job,
            folder=folder,
            cache=pack / CACHE,
            checkpoint=folder / "checkpoint.npz",
            search_path=search_path,
        )
        started = _now()
        result = _run(job, limits)
        content = {
            "started_at": started,
            "ended_at": _now(),
            "seconds": result.seconds,
            "exit_code": result.exit_code,
            "stopped": result.stopped,
            "log_tail": result.log_tail,
            "environment": dict(describe_environment()),
        }
        atomic_write_bytes(folder / RESULT, json.dumps(content).encode())
        status, _ = classify_exit(result, limits)
        if training_stands(result, status):
            status = Status.OK
        failed += status is not Status.OK
        print(f"[{number}/{len(waiting)}] {job.cell.label}: {status}", flush=True)
    return failed


def _run(job: Job, limits: Limits) -> ProcessResult:
    places = accelerator_places(job.cell.options.get("devices", 1))
    executor = LocalExecutor(spawn=True, places=places)
    try:
        executor.start(job.folder.name, job, limits)
        while True:
            for update in executor.wait():
                if update.result is not None:
                    return update.result
    finally:
        executor.close()


def read_result(folder: Path) -> tuple[dict[str, Any], ProcessResult] | None:
    """Return the content of a packed cell's result file and its result, or None before it ran."""
    try:
        content = json.loads((folder / RESULT).read_text())
    except FileNotFoundError:
        return None
    outcome = None
    if (folder / "outcome.json").exists():
        outcome = json.loads((folder / "outcome.json").read_text())
    result = ProcessResult(
        outcome,
        content["exit_code"],
        content["stopped"],
        content["log_tail"],
        environment=read_provenance(folder),
        seconds=content["seconds"],
    )
    return content, result


def _now() -> str:
    return datetime.now(UTC).isoformat()
