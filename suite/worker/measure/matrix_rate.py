"""The machine's own rate of multiplying matrices: what a model's operations are held against.

Measured once per machine, backend, precision and number of threads, and kept in the home's cache
with its date, if others left the machine alone meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import Job
from suite.api.files import atomic_write_bytes
from suite.records.environment import describe_machine, machine_name
from suite.worker.measure.interference import Watch
from suite.worker.measure.timing import FOREIGN_LIMIT
from suite.worker.steps import devices, has_accelerator

HOST_SIZE, ACCELERATOR_SIZE = 2_048, 8_192
BLOCKS = 5
BLOCK_SECONDS = 0.3


def machine_rate(job: Job) -> dict[str, Any]:
    """Return the rate, the date it was measured and how, measuring it where it is not known."""
    machine = machine_name({**describe_machine(), "devices": devices()})
    about = [machine, job.cell.backend, job.cell.precision, job.cell.threads]
    name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
    path = job.cache / f"matrix_rate-{name}.json"
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        known = measure_rate()
        if (known["other_process_cpu_share"] or 0.0) <= FOREIGN_LIMIT:
            _keep(path, known)
    return known


def measure_rate() -> dict[str, Any]:
    """Multiply square matrices in the precision of the policy; the fastest block counts."""
    size = ACCELERATOR_SIZE if has_accelerator() else HOST_SIZE
    dtype = keras.config.dtype_policy().compute_dtype
    values = np.random.default_rng(0).normal(size=(size, size), scale=size**-0.5)
    left = right = ops.cast(ops.convert_to_tensor(values.astype("float32")), dtype)

    def chain(steps: int) -> float:
        started = time.perf_counter()
        product = right
        for _ in range(steps):
            product = ops.matmul(left, product)
        float(product[0, 0])  # waits for the device
        return time.perf_counter() - started

    chain(2)
    steps = max(1, round(BLOCK_SECONDS / chain(1)))
    with Watch(has_accelerator()) as watch:
        seconds = min(chain(steps) for _ in range(BLOCKS)) / steps
    return {
        "operations_per_second": 2.0 * size**3 / seconds,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "other_process_cpu_share": watch.foreign_share,
        "method": f"products of {size} × {size} {dtype} matrices, the fastest of {BLOCKS} blocks",
    }


def _keep(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, json.dumps(content).encode())
