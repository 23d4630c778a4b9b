"""Energy counters: RAPL for the processor, NVML for NVIDIA devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from suite.worker.measure import nvml

POWERCAP = Path("/sys/class/powercap")
RAPL_METHOD = "RAPL package counters through powercap, the whole machine's"
NO_RAPL_METHOD = "not measured: RAPL's energy counters cannot be read here through powercap"


def find_energy_counter(
    devices: nvml.NvidiaDevices | None,
) -> tuple[Callable[[], float] | None, str]:
    """Return a function that reads the joules used so far, and the method.

    The function reads the counters of `devices`, or of the processor if `devices` is None. If no
    counter is readable, the function is None and the method states the reason.
    """
    if devices:
        counter = devices.energy_counter()
        return counter, nvml.ENERGY_METHOD if counter else nvml.NO_ENERGY_METHOD
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
