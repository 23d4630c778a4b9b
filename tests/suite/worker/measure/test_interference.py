"""Interference and energy against known loads and counters."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from suite.worker.measure import energy, interference
from suite.worker.measure.interference import InterferenceMonitor
from tests.suite.worker.measure.machine import FakeMachine


@pytest.mark.alone
def test_monitoring_costs_less_than_a_millisecond_per_block():
    monitor, costs = InterferenceMonitor(1), []
    for _ in range(200):
        started = time.perf_counter()
        with monitor:
            pass
        costs.append(time.perf_counter() - started)
    assert statistics.median(costs) < 1e-3


@pytest.fixture(params=["psutil", "/proc/stat"])
def cpu_counter(request, monkeypatch) -> str:
    """Name the counter of CPU times; a pack's machine may lack psutil."""
    if request.param != "psutil":
        monkeypatch.setattr(interference, "psutil", None)
    return request.param


def test_the_cpu_time_of_another_process_is_interference(cpu_counter):
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    cores = os.cpu_count()
    try:
        with InterferenceMonitor(cores) as monitor:
            time.sleep(0.6)
    finally:
        busy.kill()
        busy.wait()
    assert monitor.other_process_cpu_share > 0.5 / cores
    assert f"by {cpu_counter})" in monitor.method


def test_the_cpu_time_of_the_process_itself_is_not_interference(cpu_counter):
    cores = os.cpu_count()
    with InterferenceMonitor(cores) as monitor:
        started = time.process_time()
        while time.process_time() - started < 0.4:
            pass
    # On a busy machine this CPU time is a smaller share of all cores' time.
    own = 0.4 / (monitor.totals.seconds * cores)
    assert monitor.other_process_cpu_share <= 1 - own / 2


@pytest.mark.parametrize("content", [None, "", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9 10"])
def test_interference_is_unknown_without_psutil_and_proc_stat(monkeypatch, tmp_path, content):
    monkeypatch.setattr(interference, "psutil", None)
    monkeypatch.setattr(interference, "PROC_STAT", tmp_path / "stat")
    if content is not None:
        (tmp_path / "stat").write_text(content)
    with InterferenceMonitor(1) as monitor:
        time.sleep(0.05)
    assert monitor.other_process_cpu_share is None
    assert monitor.quiet
    assert "not measured" in monitor.method


def test_proc_stat_counts_stolen_time_and_neither_idle_nor_guest_time(monkeypatch, tmp_path):
    stat = tmp_path / "stat"
    monkeypatch.setattr(interference, "psutil", None)
    monkeypatch.setattr(interference, "PROC_STAT", stat)
    stat.write_text("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n")
    with InterferenceMonitor(1) as monitor:
        ticks = [day * 8_640_000 for day in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)]
        stat.write_text(f"cpu  {' '.join(map(str, ticks))}\ncpu0 0 0 0 0 0 0 0 0 0 0\n")
    seconds = (1 + 2 + 4 + 32 + 64 + 128) * 8_640_000 / os.sysconf("SC_CLK_TCK")
    assert monitor.totals.other_cpu_seconds == pytest.approx(seconds, rel=1e-3)
    assert monitor.other_process_cpu_share == 1.0 and not monitor.quiet


@pytest.mark.parametrize(
    ("threads", "other_cores", "share", "quiet"),
    [
        (64, 6.0, 6 / 64, True),
        (8, 6.0, 6 / 8, False),  # 6 of 64 cores of the host, but not of the cell's 8
        (2, 0.1, 0.05, True),
        (2, 6.0, 1.0, False),  # at most 1
        (128, 32.0, 0.5, False),  # 128 threads run on 64 cores
    ],
)
def test_interference_is_judged_by_the_cores_that_the_cell_uses(
    monkeypatch, threads, other_cores, share, quiet
):
    machine = FakeMachine(monkeypatch, cores=64)
    machine.other_cores = other_cores
    with InterferenceMonitor(threads) as monitor:
        time.sleep(0.05)
    assert monitor.other_process_cpu_share == pytest.approx(share, rel=0.1)
    assert monitor.quiet is quiet
    assert f"{min(threads, 64)} cores that the cell uses" in monitor.method


def test_energy_is_none_with_the_reason_without_a_readable_counter(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    for on_accelerator, reason in ((False, "RAPL"), (True, "nvidia-ml-py")):
        with InterferenceMonitor(1, on_accelerator) as monitor:
            pass
        assert monitor.joules is None and reason in monitor.energy_method


def test_energy_is_the_rise_of_the_counters_across_a_wrap_around(tmp_path, monkeypatch):
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of the package: counted in it already
    (zone / "max_energy_range_uj").write_text("10000000")
    (zone / "energy_uj").write_text("9000000")
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    monitor = InterferenceMonitor(1)
    with monitor:
        (zone / "energy_uj").write_text("2000000")
    (zone / "energy_uj").write_text("5000000")  # between the stretches: not counted
    with monitor:
        (zone / "energy_uj").write_text("6000000")
    assert monitor.joules == pytest.approx(4.0)


class FakeNvml:
    """NVML on a machine with three devices, each with an energy counter."""

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
        return self.millijoules[handle]  # an unknown device raises LookupError, as NVML does


def show_devices(monkeypatch, visible: str | None) -> FakeNvml:
    """Replace NVML, and set CUDA_VISIBLE_DEVICES."""
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(energy, "REST_SECONDS", 0.0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    return fake


@pytest.mark.parametrize(
    ("visible", "joules"),
    [(None, 421), ("1", 20), ("0,GPU-c", 401), ("", None), ("GPU-elsewhere", None)],
)
def test_energy_on_accelerators_is_that_of_the_devices_of_the_cell(monkeypatch, visible, joules):
    fake = show_devices(monkeypatch, visible)
    with InterferenceMonitor(1, on_accelerator=True) as monitor:
        fake.millijoules |= {"GPU-a": 1_000, "GPU-b": 20_000, "GPU-c": 400_000}
    assert monitor.joules == joules


@pytest.mark.parametrize(
    ("visible", "share"),
    [(None, 0.4), ("1,2", 0.4), ("0", 0.0), ("", None), ("GPU-elsewhere", None)],
)
def test_the_load_of_the_devices_of_the_cell_is_interference(monkeypatch, visible, share):
    def no_cpu_times():
        raise OSError

    show_devices(monkeypatch, visible)
    monkeypatch.setattr(psutil, "cpu_times", no_cpu_times)
    with InterferenceMonitor(1, on_accelerator=True) as monitor:
        pass
    assert monitor.other_process_cpu_share == share
    assert ("NVML" if share is not None else "not measured") in monitor.method
    with InterferenceMonitor(1) as monitor:
        pass
    assert monitor.other_process_cpu_share is None, "devices do not disturb a cell on the processor"


def test_energy_on_the_processor_leaves_the_devices_out(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    show_devices(monkeypatch, None)
    assert InterferenceMonitor(1).joules is None
