"""The load of other programs, looked at before a run measures costs."""

from __future__ import annotations

import time

import psutil

from suite.records.environment import INTERFERENCE_LIMIT, num_cores

SAMPLE_SECONDS = 0.5
"""The time of a look at the load, which resolves 2% of a core."""
PAUSE_SECONDS = 5.0
"""The time between two looks while a run waits."""


def disturbing_cores(threads: int) -> float:
    """Return how many cores other programs use; 0 if they would not disturb cells of `threads`."""
    busy: float = psutil.cpu_percent(SAMPLE_SECONDS) / 100 * (psutil.cpu_count() or 1)
    return busy if busy > INTERFERENCE_LIMIT * min(threads, num_cores()) else 0.0


def describe_load(cores: float) -> str:
    """Return how much other programs use, such as "other programs use 60% of a core"."""
    return f"other programs use {f'{cores:.0%} of a core' if cores < 1 else f'{cores:.1f} cores'}"


def wait_until_quiet(threads: int, seconds: float) -> float:
    """Wait until other programs disturb no cell, at most `seconds`; return the cores they use."""
    last = time.monotonic() + seconds
    while (cores := disturbing_cores(threads)) and time.monotonic() < last:
        time.sleep(min(PAUSE_SECONDS, max(0.0, last - time.monotonic())))
    return cores
