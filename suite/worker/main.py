"""A cell's process: reads the job, does the work, leaves `outcome.json`.

What goes wrong is an outcome too. Imported by the forkserver before it forks, so the imports here
are what every child has ready.
"""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from suite.api import Job, Mode, Status
from suite.api.errors import LengthwiseError, Unsupported
from suite.api.files import atomic_write_bytes
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.worker import probe as probing
from suite.worker import training
from suite.worker.steps import has_accelerator, share_work

PROGRESS_SECONDS = 0.25
OUT_OF_MEMORY_SIGNS = (
    "resourceexhausted", "resource_exhausted", "oom when allocating",  # TensorFlow, JAX
    "out of memory", "can't allocate memory",  # PyTorch, on a GPU and on a processor
    "out_of_memory", "alloc_failed",  # CUDA itself, cuBLAS and cuDNN
)  # fmt: skip
"""What the backends' errors say, in small letters: none has a class of its own for all of it."""


@dataclass
class Progress:
    """Tells the parent how far the work is, a few times a second at most."""

    path: Path
    told: float = -math.inf

    def __call__(self, phase: str, fraction: float, loss: float | None = None) -> None:
        """Append one line; the share done is of the phase."""
        now = time.monotonic()
        if now - self.told < PROGRESS_SECONDS and fraction > 0:
            return
        self.told = now
        line = {"phase": phase, "fraction": fraction, "loss": _finite(loss)}
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")


def work(folder: Path) -> None:
    """Run the job in `folder` and leave its outcome there."""
    started = time.perf_counter()
    job = Job.from_json((folder / "job.json").read_text())
    progress = Progress(folder / "progress.jsonl")
    progress("starting", 0.0)
    try:
        outcome = _attempt(job, progress)
    except Exception as error:
        outcome = _failed(error)
    outcome["worker_seconds"] = time.perf_counter() - started
    content = json.dumps(_finite(outcome), allow_nan=False)
    atomic_write_bytes(folder / "outcome.json", content.encode())


def _attempt(job: Job, progress: Progress) -> dict[str, Any]:
    cell = job.cell
    if keras.backend.backend() != cell.backend:
        raise RuntimeError(f"Keras runs on {keras.backend.backend()}, not on {cell.backend}")
    if cell.precision == "mixed_float16" and not has_accelerator():
        raise Unsupported("mixed_float16 needs an accelerator: on a CPU take mixed_bfloat16")
    keras.config.set_dtype_policy(cell.precision)
    if (num_devices := cell.options.get("devices", 1)) > 1:
        share_work(num_devices)
    architecture = find_plugin(ARCHITECTURES, cell.architecture, job.search_path)
    if cell.mode is Mode.PROBE:
        return probing.run(job, architecture, progress)
    assert cell.task is not None
    task = find_plugin(TASKS, cell.task, job.search_path)
    return training.run(job, task, architecture, progress)


def _failed(error: Exception) -> dict[str, Any]:
    status, reason = classify(error)
    failure = {
        "type": type(error).__name__,
        "message": str(error)[:2_000],
        "traceback": None if status is Status.UNSUPPORTED else traceback.format_exc()[-8_000:],
    }
    return {"status": status, "reason": reason, "error": failure}


def classify(error: Exception) -> tuple[Status, str]:
    """Give an exception its status and a reason of one line."""
    message = (str(error).strip().splitlines() or [""])[0][:300]
    if isinstance(error, Unsupported):
        return Status.UNSUPPORTED, message
    if isinstance(error, training.Diverged):
        return Status.DIVERGED, message
    text = f"{type(error).__name__}: {error}".lower()
    if isinstance(error, MemoryError) or any(sign in text for sign in OUT_OF_MEMORY_SIGNS):
        return Status.OUT_OF_MEMORY, f"an allocation failed: {message}"
    if isinstance(error, LengthwiseError):
        return Status.FAILED, message
    return Status.FAILED, f"{type(error).__name__}: {message}"


def _finite(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not have, by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
