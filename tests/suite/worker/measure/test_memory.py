"""Peak memory against known allocations."""

from __future__ import annotations

import subprocess
import sys

import pytest

from suite.worker.measure.memory import Allocator, PeakMemory

MEBIBYTE = 2**20
NO_FRAMEWORK = "import sys, types; sys.modules['keras'] = types.ModuleType('keras')"
"""The worker's package imports Keras, which takes seconds; memory is measured without it."""

PEAK = """
import numpy as np
from suite.worker.measure.memory import PeakMemory
before = np.ones(48 * 2**20, np.uint8); del before
memory = PeakMemory(); memory.start()
held = np.ones(SIZE * 2**20, np.uint8)
memory.update(); del held
memory.reset(); small = np.ones(2**20, np.uint8); memory.update()
print(memory.measured()["peak_memory_bytes"]["value"])
"""
COMPILATION = """
import numpy as np
from suite.worker.measure.memory import PeakMemory
memory = PeakMemory(); memory.start()
compiler = np.ones(200 * 2**20, np.uint8); del compiler
memory.end_compilation()
held = np.ones(64 * 2**20, np.uint8); memory.update()
measured = memory.measured()
print(measured["compile_peak_memory_bytes"]["value"], measured["peak_memory_bytes"]["value"])
"""
EVALUATION = """
import numpy as np
from suite.worker.measure.memory import PeakMemory
memory = PeakMemory(keeps_freed=True); memory.start()
evaluation = np.ones(200 * 2**20, np.uint8); del evaluation
memory.reset()
held = np.ones(64 * 2**20, np.uint8); memory.keep_freed()
gaps = np.ones(300 * 2**20, np.uint8); memory.update(); del gaps
print(memory.measured()["peak_memory_bytes"]["value"])
memory.reset()
larger = np.ones(100 * 2**20, np.uint8); memory.update()
print(memory.measured()["peak_memory_bytes"]["value"])
"""
GAPS = """
import numpy as np
from suite.worker.measure.memory import PeakMemory
larger = np.ones(16 * 2**20, np.uint8); del larger  # glibc maps no smaller array alone from here on
memory = PeakMemory(keeps_freed=True); memory.start()
arrays = [np.ones(2**20, np.uint8) for _ in range(64)]; del arrays[:-1]
held = np.ones(64 * 2**20, np.uint8); memory.update()
print(memory.measured()["peak_memory_bytes"]["value"])
"""
FAULTS = """
import ctypes, resource
from suite.worker.measure.memory import PeakMemory
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

def mapped_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    array = library.malloc(64 * 2**20)
    library.memset(array, 1, 64 * 2**20)
    library.free(array)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

memory = PeakMemory(keeps_freed=True); memory.start()
print(mapped_pages(), mapped_pages())
memory.keep_freed()
print(mapped_pages(), mapped_pages())
memory.reset()
print(mapped_pages(), mapped_pages())
"""


def run(program: str) -> list[float]:
    command = [sys.executable, "-c", f"{NO_FRAMEWORK}{program}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in result.stdout.split()]


@pytest.mark.parametrize(
    ("program", "mebibytes"),
    [
        (PEAK.replace("SIZE", "64"), [64]),
        (PEAK.replace("SIZE", "512"), [512]),
        (COMPILATION, [200, 64]),
        (EVALUATION, [64, 164]),
        (GAPS, [65]),
    ],
)
def test_peak_memory_is_the_memory_held_in_each_phase(program, mebibytes):
    for size, expected in zip(run(program), mebibytes, strict=True):
        assert abs(size / MEBIBYTE - expected) < max(0.03 * expected, 8)


class FakeDevice:
    """The memory of an accelerator with an allocator."""

    def __init__(self, can_reset):
        self.held = self.highest = 100
        self.allocator = Allocator(
            in_use=lambda: self.held,
            peak=lambda: self.highest,
            reset=self.reset if can_reset else None,
            method="the device's",
        )

    def hold(self, size):
        self.held += size
        self.highest = max(self.highest, self.held)

    def reset(self):
        self.highest = self.held


@pytest.mark.parametrize(("can_reset", "compiling", "working"), [(True, 70, 50), (False, 70, 70)])
def test_the_memory_of_a_device_is_that_of_its_allocator(can_reset, compiling, working):
    device = FakeDevice(can_reset)
    memory = PeakMemory(device.allocator)
    memory.start()
    device.hold(70), device.hold(-70)
    memory.end_compilation()
    device.hold(50), device.hold(-50)
    memory.update()
    measured = memory.measured()
    assert measured["compile_peak_memory_bytes"]["value"] == compiling
    assert measured["peak_memory_bytes"]["value"] == working  # without a reset: the higher of both
    assert measured["peak_memory_bytes"]["method"] == "the device's"


def test_a_phase_below_an_earlier_peak_of_the_device_is_not_measured():
    for can_reset in (True, False):
        device = FakeDevice(can_reset)
        first = PeakMemory(device.allocator)
        first.start()
        device.hold(70), device.hold(-70)
        smaller = first.next_phase()
        smaller.reset()
        device.hold(50), device.hold(-50)
        smaller.update()
        found = smaller.measured()["peak_memory_bytes"]
        assert found["value"] == (50 if can_reset else None)
        assert found["method"].startswith("the device's" if can_reset else "not measured: an earl")
        larger = smaller.next_phase()
        larger.reset()
        device.hold(90)
        larger.update()
        assert larger.measured()["peak_memory_bytes"]["value"] == 90


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_a_freed_array_is_kept_for_the_next_one_until_the_peak_is_reset():
    """An array of 64 MiB has 16,384 pages, unless the system has larger ones."""
    first, second, third, kept, *returned = run(FAULTS)
    if first < 10_000:
        pytest.skip(f"this system maps large pages: {first} for 64 MiB")
    assert min(second, third, *returned) > 10_000
    assert kept < 100
