"""Interference of other processes with a measurement, and the energy of the measurement."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple, Self

from suite.records.environment import INTERFERENCE_LIMIT, num_cores
from suite.worker.measure.energy import LOAD_METHOD, NvidiaDevices, find_energy_counter

try:
    import psutil
except ImportError:  # the machine of an exported pack may have Keras and a backend alone
    psutil = None  # type: ignore[assignment]

CPU_METHOD = (
    "CPU time of other processes (of all cores, stolen time included, by {counter}) over the "
    "elapsed time of the {cores} that the cell uses, at most 1"
)
UNKNOWN_METHOD = "not measured: neither psutil nor /proc/stat reports CPU times"
PROC_STAT = Path("/proc/stat")
PROC_STAT_BUSY = (0, 1, 2, 5, 6, 7)
"""The columns user, nice, system, irq, softirq and steal of the first line of /proc/stat.

The other columns are idle time, or time of guests, which is part of `user` and `nice`.
"""


class Totals(NamedTuple):
    """Sums over the monitored stretches."""

    seconds: float = 0.0
    other_cpu_seconds: float = 0.0
    joules: float = 0.0


class InterferenceMonitor:
    """Context manager that sums interference and energy over the stretches in which it is entered.

    `threads` is the number of threads of the cell. Interference is judged against the cores that
    the cell uses: its threads, at most the cores of the affinity mask.

    One stretch costs about 50 µs. CPU times have a resolution of 10 ms, so the share is meaningful
    from about one monitored second on. The energy is that of the accelerator if
    `on_accelerator`, and of the processor otherwise. NVML does not show the processes of a device
    inside a container. The load of a device is therefore read before the first stretch, while this
    process rests.
    """

    def __init__(self, threads: int, on_accelerator: bool = False) -> None:
        devices = NvidiaDevices() if on_accelerator else None
        self._energy, self.energy_method = find_energy_counter(devices)
        self._device_load = devices.load_at_rest() if devices else None
        self._cores = min(threads, num_cores())
        self._has_cpu_times = _all_cpu_seconds() is not None
        self.totals = Totals()

    def __enter__(self) -> Self:
        self._before = self._read()
        return self

    def __exit__(self, *error: object) -> None:
        before, after = self._before, self._read()
        elapsed, busy, own, joules = (now - then for then, now in zip(before, after, strict=True))
        self.add(Totals(elapsed, busy - own, joules))

    def add(self, totals: Totals) -> None:
        """Add the sums of another monitor: that of the process that this one resumes."""
        pairs = zip(self.totals, totals, strict=True)
        self.totals = Totals(*(mine + other for mine, other in pairs))

    @property
    def other_process_cpu_share(self) -> float | None:
        """The higher of the CPU share of other processes and the device load; None if unknown."""
        shares = [] if self._device_load is None else [self._device_load]
        if self._knows_cpu_share:
            share = self.totals.other_cpu_seconds / (self.totals.seconds * self._cores)
            shares.append(min(1.0, max(0.0, share)))
        return max(shares, default=None)

    @property
    def quiet(self) -> bool:
        """Whether interference stayed within the limit; True where it is unknown."""
        return (self.other_process_cpu_share or 0.0) <= INTERFERENCE_LIMIT

    @property
    def method(self) -> str:
        """How `other_process_cpu_share` was measured."""
        if self.other_process_cpu_share is None:
            return UNKNOWN_METHOD
        counter = "/proc/stat" if psutil is None else "psutil"
        cores = "1 core" if self._cores == 1 else f"{self._cores} cores"
        methods = [CPU_METHOD.format(counter=counter, cores=cores)] if self._knows_cpu_share else []
        methods += [] if self._device_load is None else [LOAD_METHOD]
        return "; or, if higher, ".join(methods)

    @property
    def joules(self) -> float | None:
        """The energy used, None without a readable counter."""
        return self.totals.joules if self._energy else None

    @property
    def _knows_cpu_share(self) -> bool:
        return self._has_cpu_times and self.totals.seconds > 0

    def _read(self) -> tuple[float, float, float, float]:
        """Read the clock, the CPU times of all cores and of this process, and the joules."""
        energy = self._energy() if self._energy else 0.0
        return time.perf_counter(), _all_cpu_seconds() or 0.0, _own_cpu_seconds(), energy


def _all_cpu_seconds() -> float | None:
    """Return the busy time of all cores, stolen time included; None where it is unknown."""
    if psutil is None:
        return _all_cpu_seconds_from_proc()
    try:
        times = psutil.cpu_times()._asdict()
    except (OSError, ValueError, NotImplementedError):
        return None
    # On Linux the time of guests is part of `user` and `nice`.
    idle = ("idle", "iowait", "guest", "guest_nice")
    return float(sum(seconds for name, seconds in times.items() if name not in idle))


def _all_cpu_seconds_from_proc() -> float | None:
    try:
        name, *ticks = PROC_STAT.read_text().partition("\n")[0].split()
        busy = sum(int(ticks[column]) for column in PROC_STAT_BUSY)
    except (OSError, ValueError, IndexError):
        return None
    return busy / os.sysconf("SC_CLK_TCK") if name == "cpu" else None


def _own_cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
