"""The instruments against known answers."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from suite.worker.measure import interference as watching
from suite.worker.measure import timing as measuring
from suite.worker.measure.interference import Watch
from suite.worker.measure.timing import (
    Allocator,
    PeakMemory,
    StepTimings,
    measurement,
    quartiles,
    steps_per_block,
    time_repeats,
)

MEBIBYTE = 2**20

PEAK = """
import sys
import numpy as np
from suite.worker.measure.timing import PeakMemory
size = int(sys.argv[1])
spoilt = np.ones(48 * 2**20, np.uint8); del spoilt
memory = PeakMemory(); memory.start()
held = np.ones(size, np.uint8)
memory.watch(); del held
memory.reset(); small = np.ones(2**20, np.uint8); memory.watch()
print(memory.measured()["peak_memory_bytes"]["value"])
"""


@pytest.mark.parametrize("mebibytes", [64, 512])
def test_peak_memory_is_what_was_held(mebibytes):
    size = mebibytes * MEBIBYTE
    result = subprocess.run(
        [sys.executable, "-c", PEAK, str(size)], capture_output=True, text=True, check=True
    )
    assert abs(float(result.stdout) - size) < max(0.03 * size, 8 * MEBIBYTE)


class Device:
    """An accelerator's memory, as its allocator tells it."""

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
def test_a_device_s_memory_is_its_allocator_s(can_reset, compiling, working):
    device = Device(can_reset)
    memory = PeakMemory(device.allocator)
    memory.start()
    device.hold(70), device.hold(-70)
    memory.compiled()
    device.hold(50), device.hold(-50)
    memory.watch()
    measured = memory.measured()
    assert measured["compile_peak_memory_bytes"]["value"] == compiling
    assert measured["peak_memory_bytes"]["value"] == working  # where it cannot begin anew: both
    assert measured["peak_memory_bytes"]["method"] == "the device's"


COMPILING = """
import numpy as np
from suite.worker.measure.timing import PeakMemory
memory = PeakMemory(); memory.start()
compiler = np.ones(200 * 2**20, np.uint8); del compiler
memory.compiled()
held = np.ones(64 * 2**20, np.uint8); memory.watch()
measured = memory.measured()
print(measured["compile_peak_memory_bytes"]["value"], measured["peak_memory_bytes"]["value"])
"""


def test_what_compiling_takes_is_kept_apart():
    result = subprocess.run(
        [sys.executable, "-c", COMPILING], capture_output=True, text=True, check=True
    )
    compiling, peak = (float(word) / MEBIBYTE for word in result.stdout.split())
    assert abs(compiling - 200) < 8
    assert abs(peak - 64) < 8


@pytest.mark.alone
def test_blocks_measure_a_known_step():
    blocks = time_repeats(lambda: time.sleep(0.02), 100, 200, PeakMemory())
    measured = blocks.measured()
    assert measured["step_seconds"]["n"] >= 5
    assert sum(blocks.seconds) >= 1.0
    assert 0.02 <= measured["step_seconds"]["value"] < 0.03
    speed = measured["tokens_per_second"]["value"]
    assert measured["padded_tokens_per_second"]["value"] == pytest.approx(2 * speed)
    assert measured["tokens_per_second"]["samples"]
    low, high = measured["tokens_per_second"]["quartiles"]
    assert low <= speed <= high


def test_the_median_of_samples_is_the_value_and_nothing_has_none():
    assert measurement([3.0, 1.0, 2.0], "by hand")["value"] == 2.0
    assert measurement([], "by hand")["value"] is None
    assert StepTimings().measured()["tokens_per_second"]["value"] is None
    assert steps_per_block(0.05) == 4 and steps_per_block(10) == 1


@pytest.mark.alone
def test_watching_costs_less_than_a_millisecond_a_block():
    watch, costs = Watch(), []
    for _ in range(200):
        started = time.perf_counter()
        with watch:
            pass
        costs.append(time.perf_counter() - started)
    assert statistics.median(costs) < 1e-3


def test_what_others_take_of_the_machine_is_seen():
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with Watch() as watch:
            time.sleep(2)
    finally:
        busy.kill()
        busy.wait()
    assert watch.foreign_share > 0.5 / os.cpu_count()


def test_one_s_own_work_is_not_foreign():
    with Watch() as watch:
        started = time.process_time()
        while time.process_time() - started < 1:
            pass
    # The busier the machine, the longer this second took: of all cores' time it is a smaller share.
    own = 1 / (watch.totals()[0] * os.cpu_count())
    assert watch.foreign_share <= 1 - own / 2, "own work is not counted against it"


def test_energy_is_null_with_the_reason_where_no_counter_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "POWERCAP", tmp_path)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    for on_accelerator, reason in ((False, "RAPL"), (True, "nvidia-ml-py")):
        with Watch(on_accelerator) as watch:
            pass
        assert watch.joules is None and reason in watch.energy_method


def test_energy_is_what_the_counters_rise_by_round_their_end(tmp_path, monkeypatch):
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of the package: counted in it already
    (zone / "max_energy_range_uj").write_text("10000000")
    (zone / "energy_uj").write_text("9000000")
    monkeypatch.setattr(watching, "POWERCAP", tmp_path)
    watch = Watch()
    with watch:
        (zone / "energy_uj").write_text("2000000")
    (zone / "energy_uj").write_text("5000000")  # between the stretches: nobody's
    with watch:
        (zone / "energy_uj").write_text("6000000")
    assert watch.joules == pytest.approx(4.0)


class FakeNvml:
    """What pynvml tells of a machine with three devices, each with a counter of its own."""

    NVMLError = LookupError

    def __init__(self) -> None:
        self.millijoules = {"GPU-a": 0, "GPU-b": 0, "GPU-c": 0}
        self.percent = {"GPU-a": 0, "GPU-b": 40, "GPU-c": 0}

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return len(self.millijoules)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return list(self.millijoules)[index]

    def nvmlDeviceGetHandleByUUID(self, name: str) -> str:
        return name

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:
        return SimpleNamespace(gpu=self.percent[handle], memory=99)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        return self.millijoules[handle]  # one that is not there is a LookupError, as NVML's is


@pytest.mark.parametrize(
    ("visible", "joules"),
    [(None, 421), ("1", 20), ("0,GPU-c", 401), ("", None), ("GPU-elsewhere", None)],
)
def test_energy_is_that_of_the_devices_that_a_cell_sees(monkeypatch, visible, joules):
    nvml = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(watching, "REST_SECONDS", 0.0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with Watch(on_accelerator=True) as watch:
        nvml.millijoules |= {"GPU-a": 1_000, "GPU-b": 20_000, "GPU-c": 400_000}
    assert watch.joules == joules


@pytest.mark.parametrize(
    ("visible", "share"),
    [(None, 0.4), ("1,2", 0.4), ("0", 0.0), ("", None), ("GPU-elsewhere", None)],
)
def test_a_neighbour_on_a_cell_s_own_devices_is_seen(monkeypatch, visible, share):
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setattr(watching, "REST_SECONDS", 0.0)
    monkeypatch.setattr(watching, "_busy_seconds", lambda: None)  # the processor does not tell
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with Watch(on_accelerator=True) as watch:
        pass
    assert watch.foreign_share == share
    assert ("NVML" if share is not None else "not measured") in watch.foreign_method
    with Watch() as watch:
        pass
    assert watch.foreign_share is None, "on the processor a device's neighbours do not matter"


def test_energy_on_the_processor_leaves_the_devices_out(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "POWERCAP", tmp_path)
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    assert Watch().joules is None


def test_a_noisy_measurement_is_taken_again_and_the_quietest_counts(monkeypatch):
    shares = iter([0.5, 0.3, 0.4])
    monkeypatch.setattr(
        measuring.Watch, "foreign_share", property(lambda watch: watch.__dict__["said"])
    )
    start = measuring.Watch.__init__

    def begin(watch, on_accelerator):
        start(watch, on_accelerator)
        watch.said = next(shares)

    monkeypatch.setattr(measuring.Watch, "__init__", begin)
    monkeypatch.setattr(measuring, "MIN_SECONDS", 0.01)
    blocks = time_repeats(lambda: time.sleep(0.001), 1, 1, PeakMemory())
    assert blocks.watch.foreign_share == 0.3 and not blocks.quiet
    assert next(shares, None) is None


def test_latency_states_only_the_percentiles_it_has_answers_for(monkeypatch):
    monkeypatch.setattr(measuring, "LATENCY_SECONDS", 0.0)
    few = measuring.time_latency(lambda: time.sleep(0.001))
    assert few["latency_p50_seconds"]["n"] == 20
    assert few["latency_p95_seconds"]["value"] >= few["latency_p50_seconds"]["value"] >= 0.001
    assert few["latency_p99_seconds"]["value"] is None
    assert "100 answers" in few["latency_p99_seconds"]["method"]


def test_many_blocks_make_a_hundred_samples_at_most():
    blocks = StepTimings()
    for number in range(1_050):
        blocks.add(1.0 + number % 2, 2, 100, 200)
    found = blocks.measured()
    assert found["tokens_per_second"]["n"] == 96
    assert found["step_seconds"]["value"] == pytest.approx(0.75, rel=0.05)


def test_quartiles_agree_with_numpy():
    samples = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0]
    assert quartiles(samples) == pytest.approx(tuple(np.quantile(samples, [0.25, 0.75])))
    assert quartiles([1.0]) is None
