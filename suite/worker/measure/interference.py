"""What a measurement shares the machine with, and what energy it takes. Standard library only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from suite.records.environment import accelerator_ids

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
FOREIGN_DEVICE_METHOD = (
    "how busy NVML says the busiest of the cell's devices was while the cell rested, just before"
)
NO_FOREIGN = "not measured: this system does not tell"
REST_SECONDS = 1.2
"""NVML's utilisation looks back for up to a second: after such a rest it is that of others."""


class Watch:
    """Adds up, over the stretches in which it is entered, what the machine's counters say.

    A stretch costs some 50 microseconds. The counters tick a hundred times a second, so a share is
    worth something after about a second in all. The energy is that of the device that computes: on
    an accelerator its own, else the processor's. NVML tells nobody in a container which processes
    are its own, so others' load on an accelerator is what it shows before, while this one rests.
    """

    def __init__(self, on_accelerator: bool = False) -> None:
        devices = _Devices() if on_accelerator else None
        self._energy, self.energy_method = find_energy_counter(devices)
        self._device_load = devices.load_at_rest() if devices else None
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
        """What others took of the cores' time, or of a device if that is more; None if unknown."""
        shares = [] if self._device_load is None else [self._device_load]
        if self._tells and self._elapsed:
            share = self._foreign / (self._elapsed * (os.cpu_count() or 1))
            shares.append(min(1.0, max(0.0, share)))
        return max(shares, default=None)

    @property
    def foreign_method(self) -> str:
        """How the foreign share was found."""
        if self.foreign_share is None:
            return NO_FOREIGN
        methods = [FOREIGN_METHOD] if self._tells and self._elapsed else []
        methods += [] if self._device_load is None else [FOREIGN_DEVICE_METHOD]
        return "; or, if that is more, ".join(methods)

    @property
    def joules(self) -> float | None:
        """The energy used, None where no counter can be read."""
        return self._joules if self._energy else None

    def _read(self) -> tuple[float, float, float, float]:
        energy = self._energy() if self._energy else 0.0
        return time.perf_counter(), _busy_seconds() or 0.0, _own_seconds(), energy


def find_energy_counter(devices: _Devices | None) -> tuple[Callable[[], float] | None, str]:
    """Return what reads the joules used so far, and its name; None and why where none can.

    They are those of `devices`, or without any the processor's.
    """
    if devices:
        counter = devices.energy_counter()
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


class _Devices:
    """The NVIDIA devices that CUDA shows this process; none where NVML or its package is not.

    NVML knows nothing of CUDA_VISIBLE_DEVICES. Its numbers are CUDA's, since cells run with
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
        """Return what reads the joules that the devices have used, None where they do not tell."""

        def read() -> float:
            counters = map(self._nvml.nvmlDeviceGetTotalEnergyConsumption, self._handles)
            return float(sum(counters)) / 1e3

        return read if self._tell(read) is not None else None

    def load_at_rest(self) -> float | None:
        """Return the busiest device's share of busy time, after a rest, or None."""

        def read() -> float:
            time.sleep(REST_SECONDS)
            rates = map(self._nvml.nvmlDeviceGetUtilizationRates, self._handles)
            return float(max(rate.gpu for rate in rates)) / 100

        return self._tell(read)

    def _tell(self, read: Callable[[], float]) -> float | None:
        if self._handles:
            with suppress(self._nvml.NVMLError):
                return read()
        return None


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
