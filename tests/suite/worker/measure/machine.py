"""A machine whose other processes take a known share of its cores."""

from __future__ import annotations

import os
import time
from collections import namedtuple

import psutil

CpuTimes = namedtuple("CpuTimes", "user nice system idle iowait irq softirq steal guest guest_nice")


class FakeMachine:
    """Replaces the system's CPU times: this process is idle, others take `other_cores` cores.

    The stolen time of a virtual machine is half of the load; the other half is user time.
    """

    def __init__(self, monkeypatch, cores: int) -> None:
        self.other_cores = 0.0
        self._last, self._busy = time.perf_counter(), 0.0
        monkeypatch.setattr(psutil, "cpu_times", self._cpu_times)
        monkeypatch.setattr(os, "times", lambda: os.times_result((0.0,) * 5))
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: cores)

    def _cpu_times(self) -> CpuTimes:
        now = time.perf_counter()
        self._busy += (now - self._last) * self.other_cores
        self._last = now
        half = self._busy / 2
        return CpuTimes(half, 0.0, 0.0, 1e6 + now, now, 0.0, 0.0, half, half, 0.0)
