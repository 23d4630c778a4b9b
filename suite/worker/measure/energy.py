"""Counters of energy (RAPL of the processor, NVML of NVIDIA devices) and the load of devices."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from suite.records.environment import accelerator_ids

POWERCAP = Path("/sys/class/powercap")
RAPL_METHOD = "RAPL package counters through powercap, the whole machine's"
NO_RAPL_METHOD = "not measured: RAPL's energy counters cannot be read here through powercap"


def find_energy_counter(
    devices: NvidiaDevices | None,
) -> tuple[Callable[[], float] | None, str]:
    """Return a function that reads the joules used so far, and the method.

    The function reads the counters of `devices`, or of the processor if `devices` is None. If no
    counter is readable, the function is None and the method states the reason.
    """
    if devices:
        counter = devices.energy_counter()
        return counter, ENERGY_METHOD if counter else NO_ENERGY_METHOD
    zones = _rapl_zones()
    return (_RaplCounter(zones), RAPL_METHOD) if zones else (None, NO_RAPL_METHOD)


class _RaplCounter:
    """The sum of the packages' counters, corrected for counters that wrap around."""

    def __init__(self, ranges: Mapping[Path, float]) -> None:
        self._ranges = ranges
        self._last = {zone: _microjoules(zone) for zone in ranges}
        self._total = 0.0

    def __call__(self) -> float:
        for zone, last in self._last.items():
            now = _microjoules(zone)
            self._total += now - last + (self._ranges[zone] if now < last else 0.0)
            self._last[zone] = now
        return self._total / 1e6


def _rapl_zones() -> dict[Path, float]:
    """Return the readable package zones and their ranges in microjoules."""
    zones = {}
    for zone in sorted(POWERCAP.glob("intel-rapl:*")):
        if zone.name.count(":") == 1:  # two colons mark a part of a package, counted in it already
            with suppress(OSError, ValueError):
                _microjoules(zone)
                zones[zone] = float((zone / "max_energy_range_uj").read_text())
    return zones


def _microjoules(zone: Path) -> float:
    return float((zone / "energy_uj").read_text())


ENERGY_METHOD = (
    "NVML's energy counters of the devices that the cell sees, the processor's part left out"
)
NO_ENERGY_METHOD = (
    "not measured: NVML has no energy counter for this cell's devices, or nvidia-ml-py is not "
    "installed"
)
LOAD_METHOD = (
    "utilization by NVML of the busiest of the cell's devices while the cell rested, just before"
)
REST_SECONDS = 1.2
"""The rest before the load is read: NVML's utilization covers up to the last second."""


class NvidiaDevices:
    """The NVIDIA devices that CUDA shows this process; none without NVML or nvidia-ml-py.

    NVML ignores CUDA_VISIBLE_DEVICES. Its device numbers equal CUDA's because cells run with
    CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """

    def __init__(self) -> None:
        self._handles: list[Any] = []
        try:
            import pynvml
        except ImportError:
            return
        self._nvml = pynvml
        with suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            if "CUDA_VISIBLE_DEVICES" in os.environ:
                names = accelerator_ids()
            else:
                names = [str(number) for number in range(pynvml.nvmlDeviceGetCount())]
            self._handles = [
                pynvml.nvmlDeviceGetHandleByIndex(int(name))
                if name.isdigit()
                else pynvml.nvmlDeviceGetHandleByUUID(name)
                for name in names
            ]

    def energy_counter(self) -> Callable[[], float] | None:
        """Return a function that reads the joules used so far; None where no device counts them."""

        def read() -> float:
            counters = map(self._nvml.nvmlDeviceGetTotalEnergyConsumption, self._handles)
            return float(sum(counters)) / 1e3

        return read if self._try(read) is not None else None

    def load_at_rest(self) -> float | None:
        """Return the share of time that the busiest device worked while this process rested."""

        def read() -> float:
            time.sleep(REST_SECONDS)
            rates = map(self._nvml.nvmlDeviceGetUtilizationRates, self._handles)
            return float(max(rate.gpu for rate in rates)) / 100

        return self._try(read)

    def _try(self, read: Callable[[], float]) -> float | None:
        """Return what `read` returns; None without devices or where NVML fails."""
        if self._handles:
            with suppress(self._nvml.NVMLError):
                return read()
        return None
