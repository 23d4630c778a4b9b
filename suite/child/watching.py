"""What a measurement shares the machine with, and what energy it takes. Standard library only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from suite.environment import accelerator_ids

POWERCAP = Path("/sys/class/powercap")
NO_ENERGY = "not measured: RAPL's energy counters cannot be read here through powercap"
NO_DEVICE_ENERGY = (
    "not measured: NVML tells nothing of this cell's devices, or nvidia-ml-py is not installed"
)
RAPL_METHOD = "RAPL package counters through powercap, the whole machine's"
NVML_METHOD = (
    "NVML's energy counters of the devices that the cell sees, the processor's part left out"
)
FOREIGN_METHOD = (
    "share of all cores' time that other processes took (/proc/stat, stolen time with them)"
)
NO_FOREIGN = "not measured: this system does not tell"


class Watch:
    """Adds up, over the stretches in which it is entered, what the machine's counters say.

    A stretch costs some 50 microseconds. The counters tick a hundred times a second, so a share is
    worth something after about a second in all. The energy is that of the device that computes: on
    an accelerator its own, else the processor's.
    """

    def __init__(self, on_accelerator: bool = False) -> None:
        self._energy, self.energy_method = find_energy_counter(on_accelerator)
        self._elapsed = self._foreign = self._joules = 0.0
        self._tells = _busy_seconds() is not None

    def __enter__(self) -> Self:
        self._before = self._read()
        return self

    def __exit__(self, *error: object) -> None:
        before, after = self._before, self._read()
        elapsed, busy, own, joules = (now - then for then, now in zip(before, after, strict=True))
        self.add(elapsed, busy - own, joules)

    def totals(self) -> tuple[float, float, float]:
        """Return the seconds watched, those that others took, and the joules."""
        return self._elapsed, self._foreign, self._joules

    def add(self, elapsed: float, foreign: float, joules: float) -> None:
        """Add what was watched elsewhere: in a process that this one goes on from."""
        self._elapsed += elapsed
        self._foreign += foreign
        self._joules += joules

    @property
    def foreign_share(self) -> float | None:
        """The share of all cores' time that others took, None where the system does not tell."""
        if not self._tells or not self._elapsed:
            return None
        return min(1.0, max(0.0, self._foreign / (self._elapsed * (os.cpu_count() or 1))))

    @property
    def joules(self) -> float | None:
        """The energy used, None where no counter can be read."""
        return self._joules if self._energy else None

    def _read(self) -> tuple[float, float, float, float]:
        energy = self._energy() if self._energy else 0.0
        return time.perf_counter(), _busy_seconds() or 0.0, _own_seconds(), energy


def find_energy_counter(on_accelerator: bool) -> tuple[Callable[[], float] | None, str]:
    """Return what reads the joules used so far, and its name; None and why where none can."""
    if on_accelerator:
        counter = _nvml()
        return counter, NVML_METHOD if counter else NO_DEVICE_ENERGY
    zones = _rapl_zones()
    return (_Rapl(zones), RAPL_METHOD) if zones else (None, NO_ENERGY)


class _Rapl:
    """Adds up the packages' counters, which begin again at their range's end."""

    def __init__(self, zones: Mapping[Path, float]) -> None:
        self._ranges = zones
        self._last = {zone: _microjoules(zone) for zone in zones}
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
        if zone.name.count(":") == 1:  # a package, not a part of one
            with suppress(OSError, ValueError):
                _microjoules(zone)
                zones[zone] = float((zone / "max_energy_range_uj").read_text())
    return zones


def _microjoules(zone: Path) -> float:
    return float((zone / "energy_uj").read_text())


def _nvml() -> Callable[[], float] | None:
    """Return a reader of the visible NVIDIA devices' energy, where NVML and its package are."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        devices = _visible_devices(pynvml)
        for device in devices:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(device)
    except pynvml.NVMLError:
        return None
    read = pynvml.nvmlDeviceGetTotalEnergyConsumption
    return (lambda: sum(read(device) for device in devices) / 1e3) if devices else None


def _visible_devices(pynvml: Any) -> list[Any]:
    """Return NVML's handles of the devices that CUDA shows this process; its neighbours' are none.

    NVML knows nothing of CUDA_VISIBLE_DEVICES. Its numbers are CUDA's, since cells run with
    CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        names = accelerator_ids()
    else:
        names = [str(number) for number in range(pynvml.nvmlDeviceGetCount())]
    return [
        pynvml.nvmlDeviceGetHandleByIndex(int(name))
        if name.isdigit()
        else pynvml.nvmlDeviceGetHandleByUUID(name)
        for name in names
    ]


def _busy_seconds() -> float | None:
    """Return for how long all cores together have worked, stolen time with them."""
    try:
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    user, nice, system, _idle, _waiting, hard, soft, stolen = ticks
    return (user + nice + system + hard + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
