"""The machine's rate of matrix products, to which a model's floating-point operations are compared.

The rate is measured once per machine, backend, precision and number of threads. The cache of the
home keeps the rate and its date, unless other processes interfered with the measurement.
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
from suite.records.environment import INTERFERENCE_LIMIT, describe_machine, speed_facts
from suite.worker.backends import backend
from suite.worker.measure.interference import InterferenceMonitor
from suite.worker.steps import has_accelerator

HOST_SIZE, ACCELERATOR_SIZE = 2_048, 8_192
BLOCKS = 5
BLOCK_SECONDS = 0.3


def machine_rate(job: Job) -> dict[str, Any]:
    """Return the rate with the date and method of its measurement, from the cache if possible."""
    cell = job.cell
    facts = speed_facts({**describe_machine(), "devices": list(backend.devices())}, cell.backend)
    about = [*facts, cell.backend, cell.precision, cell.threads]
    name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
    path = job.cache / f"matrix_rate-{name}.json"
    try:
        rate: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        rate = measure_rate(cell.threads)
        if is_quiet_rate(rate):
            _keep(path, rate)
    return rate


def is_quiet_rate(rate: dict[str, Any]) -> bool:
    """Return whether other processes left the machine alone while a rate was measured."""
    return (rate["other_process_cpu_share"] or 0.0) <= INTERFERENCE_LIMIT


def measure_rate(threads: int) -> dict[str, Any]:
    """Return the rate of products of square matrices in the policy's precision, fastest block."""
    size = ACCELERATOR_SIZE if has_accelerator() else HOST_SIZE
    dtype = keras.config.dtype_policy().compute_dtype
    values = np.random.default_rng(0).normal(size=(size, size), scale=size**-0.5)
    left = right = ops.cast(ops.convert_to_tensor(values.astype("float32")), dtype)

    def time_products(count: int) -> float:
        started = time.perf_counter()
        product = right
        for _ in range(count):
            product = ops.matmul(left, product)
        float(product[0, 0])  # waits for the device
        return time.perf_counter() - started

    time_products(2)
    count = max(1, round(BLOCK_SECONDS / time_products(1)))
    with InterferenceMonitor(threads, has_accelerator()) as monitor:
        seconds = min(time_products(count) for _ in range(BLOCKS)) / count
    return {
        "operations_per_second": 2.0 * size**3 / seconds,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "other_process_cpu_share": monitor.other_process_cpu_share,
        "method": f"products of {size} × {size} {dtype} matrices, the fastest of {BLOCKS} blocks",
    }


def _keep(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, json.dumps(content).encode())
