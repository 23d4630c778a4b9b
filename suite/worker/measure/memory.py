"""Peak memory of this process or of its accelerator, above a baseline."""

from __future__ import annotations

import ctypes
import gc
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from suite.worker.measure.samples import Measurements, single

MEMORY_METHOD = (
    "peak resident memory of the process (VmHWM) once compiled, above the baseline, pages of "
    "mapped files left out"
)
COMPILE_MEMORY_METHOD = "the same peak while the first steps compile"
WEIGHT_BYTES_METHOD = "the bytes of all weights of the model, in the types in which it has them"
HIDDEN_MEMORY_METHOD = (
    "not measured: an earlier phase of this process had a higher peak, which this allocator cannot "
    "reset"
)
NO_MEMORY_METHOD = "not measured: this system cannot reset a process's peak memory"

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
"""The numbers of parameters of glibc's `mallopt` (malloc.h)."""
RETURNING = {M_MMAP_MAX: 65_536, M_MMAP_THRESHOLD: 128 * 1024, M_TRIM_THRESHOLD: 128 * 1024}
"""glibc's own values: an array of 128 KiB or more is mapped alone, and its pages return at once.

glibc raises the threshold to the size of each mapped array that is freed, up to 32 MiB.
"""
KEEPING = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1}


@dataclass(frozen=True, slots=True)
class Allocator:
    """The memory counters of a device's allocator, in bytes.

    `reset` restarts `peak` from the memory in use; backends without this function have None.
    """

    in_use: Callable[[], int]
    peak: Callable[[], int]
    reset: Callable[[], object] | None
    method: str


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """The peak of the memory held, and the resident pages of mapped files, in bytes."""

    peak: int
    mapped_files: int = 0


@dataclass
class PeakMemory:
    """The highest memory held since the last reset, above a baseline.

    With an accelerator, the figures are those of its allocator; otherwise the resident memory of
    the process without mapped files: library pages that load later do not belong to the model, and
    a forked process maps all of them anew.

    The baseline is taken once: after imports, data and one step of a throwaway model, and after
    freed pages were returned to the system. The peak of the compilation is kept apart: the compiler
    frees its memory before the measured steps, and its need does not grow with the batch.

    An allocator that cannot restart its peak shows that of a later phase only if it is higher than
    all peaks before, `earlier_bytes`. With `keeps_freed`, the C library keeps freed memory while
    steps are timed (see `keep_freed`); gaps between arrays would then count, so the peak is that of
    the steps before.
    """

    allocator: Allocator | None = None
    keeps_freed: bool = False
    baseline: MemoryReading | None = None
    highest_bytes: int | None = None
    compile_bytes: int | None = None
    earlier_bytes: int | None = None
    _is_final: bool = False

    @property
    def on_accelerator(self) -> bool:
        """Whether a device other than the processor computes."""
        return self.allocator is not None

    def start(self) -> None:
        """Take the baseline."""
        if self.allocator:
            release_freed_memory()
            self.baseline = MemoryReading(self.allocator.in_use())
        elif self.reset():
            self.baseline = _resident_memory()

    def next_phase(self) -> PeakMemory:
        """Return the peak of the next phase of the process, above the same baseline."""
        allocator = self.allocator
        earlier = allocator.peak() if allocator and not allocator.reset else None
        return PeakMemory(allocator, self.keeps_freed, self.baseline, earlier_bytes=earlier)

    def reset(self) -> bool:
        """Release freed memory, and restart the peak from the memory in use.

        Returns False where the system cannot restart it.
        """
        self._is_final = False
        if self.keeps_freed:
            set_allocation(RETURNING)
        release_freed_memory()
        if self.allocator:
            return bool(self.allocator.reset and (self.allocator.reset(), True))
        try:
            # No library resets VmHWM: the kernel does so when "5" is written to this file.
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return False
        return True

    def update(self) -> None:
        """Raise `highest_bytes` to the peak since the last reset, if that peak is higher."""
        if self.baseline is not None and not self._is_final:
            now = MemoryReading(self.allocator.peak()) if self.allocator else _resident_memory()
            if self.earlier_bytes is not None and now.peak <= self.earlier_bytes:
                return
            files = now.mapped_files - self.baseline.mapped_files
            grown = now.peak - self.baseline.peak - files
            self.highest_bytes = max(self.highest_bytes or 0, grown)

    def keep_freed(self) -> None:
        """Take the peak so far as final until the next reset, and keep freed memory from here on.

        The kernel maps and clears each page of a new array. If the C library does not keep freed
        memory, that takes a tenth to a quarter of a training step of BERT on JAX, and a fifth to a
        third on PyTorch. TensorFlow keeps freed memory itself: nothing changes there.
        """
        self.update()
        if self.keeps_freed:
            self._is_final = True
            set_allocation(KEEPING)

    def end_compilation(self) -> None:
        """Keep the peak so far as the compiler's, and restart the peak."""
        self.update()
        self.compile_bytes, self.highest_bytes = self.highest_bytes, None
        self.reset()

    def measured(self) -> Measurements:
        """Return the highest peaks, as a record holds them."""
        method = self.allocator.method if self.allocator else MEMORY_METHOD
        if self.baseline is None:
            unknown = NO_MEMORY_METHOD
        else:
            unknown = method if self.earlier_bytes is None else HIDDEN_MEMORY_METHOD
        figures = {
            "peak_memory_bytes": (self.highest_bytes, method),
            "compile_peak_memory_bytes": (self.compile_bytes, COMPILE_MEMORY_METHOD),
        }
        return {
            name: single(value, unknown if value is None else method)
            for name, (value, method) in figures.items()
        }


def count_bytes(arrays: list[Any]) -> int:
    """Return the bytes of arrays of any backend; None counts nothing."""
    return sum(math.prod(array.shape) * _item_bytes(array) for array in arrays if array is not None)


def measure_weight_bytes(model: Any) -> dict[str, Any]:
    """Return the measurement of the bytes of a model's weights; masks for training do not count."""
    training = {id(weight) for weight in model.training_state}
    weights = [weight.value for weight in model.weights if id(weight) not in training]
    return single(count_bytes(weights), WEIGHT_BYTES_METHOD)


def _item_bytes(array: Any) -> int:
    name = keras.backend.standardize_dtype(array.dtype)
    return np.dtype("float16" if name == "bfloat16" else name).itemsize


def set_allocation(parameters: Mapping[int, int]) -> None:
    """Set parameters of glibc's allocator; other systems stay as they are."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        with suppress(AttributeError):  # C libraries other than glibc have no such function
            for name, value in parameters.items():
                library.mallopt(name, value)


def release_freed_memory() -> None:
    """Return freed memory to the system, so that later allocations show in the resident memory."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(AttributeError):  # C libraries other than glibc have no such function
            ctypes.CDLL(None).malloc_trim(0)


def _resident_memory() -> MemoryReading:
    """Read VmHWM and RssFile, which psutil does not offer."""
    fields = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmHWM", "RssFile"):
            fields[name] = int(value.split()[0]) * 1024
    return MemoryReading(peak=fields["VmHWM"], mapped_files=fields["RssFile"])
