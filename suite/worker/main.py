"""Entry point of a cell's process: read the job, run the cell, write `outcome.json`.

An exception is an outcome too. The forkserver imports this module before it forks, so every child
starts with all imports of this module done.
"""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from suite.api import (
    ACCELERATOR_PRECISIONS,
    Architecture,
    Cell,
    Job,
    Mode,
    Status,
    Task,
    dtype_policy,
)
from suite.api.cell import without_local_paths
from suite.api.code_digest import digest_costs, digest_training
from suite.api.errors import Unsupported
from suite.api.files import atomic_write_bytes
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.worker import decode, probe
from suite.worker.backends import backend
from suite.worker.conformance import kit
from suite.worker.failures import classify
from suite.worker.provenance import CodeProvenance, digest_plugin
from suite.worker.steps import has_accelerator
from suite.worker.train import cell as train

PROGRESS_SECONDS = 0.25


@dataclass
class ProgressFile:
    """Reports progress to the parent process, a few times a second at most."""

    path: Path
    last_report: float = -math.inf

    def __call__(self, phase: str, fraction: float, loss: float | None = None) -> None:
        """Append one line; `fraction` is the share of the phase that is done."""
        now = time.monotonic()
        if now - self.last_report < PROGRESS_SECONDS and fraction > 0:
            return
        self.last_report = now
        line = {"phase": phase, "fraction": fraction, "loss": _for_json(loss)}
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")


def work(folder: Path) -> None:
    """Run the job in `folder` and write its outcome there."""
    started = time.perf_counter()
    code = CodeProvenance()
    code.write(folder)
    job = Job.from_json((folder / "job.json").read_text())
    report_progress = ProgressFile(folder / "progress.jsonl")
    report_progress("starting", 0.0)

    def write(outcome: Mapping[str, Any]) -> None:
        environment = {**code.environment(), **outcome.get("environment", {})}
        seconds = time.perf_counter() - started
        content = json.dumps(
            _for_json({**outcome, "environment": environment, "worker_seconds": seconds}),
            allow_nan=False,
        )
        content = without_local_paths(content, job.cell.methods)
        atomic_write_bytes(folder / "outcome.json", content.encode())

    try:
        outcome = _run(job, code, report_progress, write)
    except Exception as error:
        outcome = _failed(error)
    write(outcome)


def _run(
    job: Job,
    code: CodeProvenance,
    report_progress: ProgressFile,
    write: Callable[[Mapping[str, Any]], None],
) -> dict[str, Any]:
    """Run the cell, and add its plug-ins to the code; `write` takes an unfinished outcome."""
    cell = job.cell
    _configure_backend(cell)
    architecture: Architecture = find_plugin(ARCHITECTURES, cell.architecture, job.search_path)
    code.architecture_digest = digest_plugin(
        ARCHITECTURES, cell.architecture, job.search_path, architecture
    )
    code.cost_digest = digest_costs(cell.architecture, job.search_path, cell.backend)
    code.write(job.folder)
    if job.check_at:
        return kit.run(job, architecture, report_progress)
    if cell.mode is Mode.PROBE:
        return probe.run(job, architecture, report_progress)
    if cell.mode is Mode.DECODE:
        return decode.run(job, architecture, report_progress)
    assert cell.task is not None
    task: Task = find_plugin(TASKS, cell.task, job.search_path)
    code.task_digest = digest_plugin(TASKS, cell.task, job.search_path, task)
    methods = [method.name for method in cell.methods]
    code.training_digest = digest_training(cell.task, methods, job.search_path, cell.backend)
    code.write(job.folder)
    return train.run(job, task, architecture, code.digests, report_progress, write)


def _configure_backend(cell: Cell) -> None:
    """Set the precision and the devices of the cell."""
    if keras.backend.backend() != cell.backend:
        raise RuntimeError(
            f"Keras must run on the cell's backend {cell.backend}. "
            f"Received: {keras.backend.backend()}"
        )
    if cell.precision in ACCELERATOR_PRECISIONS and not has_accelerator():
        raise Unsupported(
            f"{cell.precision} needs an accelerator: on a CPU take float32 or mixed_bfloat16"
        )
    keras.config.set_dtype_policy(dtype_policy(cell.precision))
    if (num_devices := cell.options.get("devices", 1)) > 1:
        backend.share_work(num_devices)


def _failed(error: Exception) -> dict[str, Any]:
    status, reason = classify(error)
    failure = {
        "type": type(error).__name__,
        "message": str(error)[:2_000],
        "traceback": None if status is Status.UNSUPPORTED else traceback.format_exc()[-8_000:],
    }
    return {"status": status, "reason": reason, "error": failure}


def _for_json(value: Any) -> Any:
    """Replace what JSON in UTF-8 lacks: NaN and infinities by null, lone surrogates by `?`."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_for_json(str(key)): _for_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_for_json(item) for item in value]
    return value
