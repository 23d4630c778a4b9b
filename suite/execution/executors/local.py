"""Runs cells on this machine: one fresh process each, watched for time, memory and output.

Where fork is safe, children come from a `multiprocessing` forkserver that has imported the
framework and run no operation: one server for each environment, because backend, threads and
compiler flags are fixed when a process imports Keras. Elsewhere each child is a new interpreter.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any

from suite.api import Cell, Job, Limits
from suite.execution.executors import entry
from suite.execution.executors.base import POLL_SECONDS, ProcessResult, Update
from suite.execution.executors.forkserver import ForkedChild, process_environment, quiet_stderr
from suite.execution.executors.process import Child, SpawnedChild, kill_group
from suite.records.environment import accelerator_ids

START_LIMIT_SECONDS = 300.0
LOG_LIMIT_BYTES = 64 * 2**20
LOG_TAIL_BYTES = 8_000


@dataclass
class _Running:
    """A child under watch."""

    child: Child
    folder: Path
    limits: Limits
    started: float
    kills_before: int | None = None
    place: str | None = None
    heard: bool = False
    stopped: str | None = None
    offset: int = 0
    partial: bytes = b""


@dataclass
class LocalExecutor:
    """Runs up to `parallel` cells at once on this machine.

    Each of `places` holds one cell at a time and names the accelerators that it alone sees ("0", or
    "2,3"); without places the processor is everybody's.
    """

    parallel: int = 1
    spawn: bool = False
    places: tuple[str, ...] = ()
    _running: dict[str, _Running] = field(default_factory=dict)
    _servers: dict[tuple[tuple[str, str], ...], forkserver.ForkServer] = field(default_factory=dict)

    def has_room(self) -> bool:
        """Whether another cell may start now."""
        free = not self.places or bool(self._free_places())
        return free and len(self._running) < self.parallel

    def _free_places(self) -> list[str]:
        taken = {running.place for running in self._running.values()}
        return [place for place in self.places if place not in taken]

    def start(self, run_id: str, job: Job, limits: Limits) -> None:
        """Start a cell in a fresh process."""
        (job.folder / "job.json").write_text(job.to_json())
        environment = child_environment(job.cell)
        place = next(iter(self._free_places()), None)
        if place is not None:
            environment["CUDA_VISIBLE_DEVICES"] = place
        child: Child
        if self.spawn:
            child = SpawnedChild(job.folder, environment)
        else:
            child = ForkedChild(job.folder, self._server(environment))
        self._running[run_id] = _Running(
            child, job.folder, limits, time.monotonic(), kills_for_memory(), place
        )

    def wait(self) -> list[Update]:
        """Wait until a child ends or a moment has passed, and return what is new."""
        if not self._running:
            return []
        by_sentinel = {running.child.sentinel: run_id for run_id, running in self._running.items()}
        wait_for_any(list(by_sentinel), timeout=POLL_SECONDS)
        return [update for run_id in list(self._running) for update in self._look_at(run_id)]

    @property
    def running(self) -> bool:
        """Whether a cell runs."""
        return bool(self._running)

    def stop(self) -> None:
        """Kill what still runs."""
        for running in self._running.values():
            kill_group(running.child.pid)
        self._running.clear()

    def close(self) -> None:
        """Kill what still runs and stop the servers."""
        self.stop()
        for server in self._servers.values():
            server._stop()  # type: ignore[attr-defined]
        self._servers.clear()

    def _server(self, environment: Mapping[str, str]) -> forkserver.ForkServer:
        """Return the running server for an environment, started anew where it has died."""
        key = tuple(sorted(environment.items()))
        if key not in self._servers:
            self._servers[key] = forkserver.ForkServer()
            self._servers[key].set_forkserver_preload(list(entry.PRELOADED))
        with process_environment(environment), quiet_stderr():
            self._servers[key].ensure_running()
        return self._servers[key]

    def _look_at(self, run_id: str) -> Iterator[Update]:
        running = self._running[run_id]
        exit_code = running.child.exit_code()
        for line in _new_lines(running):
            if not running.heard:
                running.heard, running.started = True, time.monotonic()
            yield Update(run_id, progress=line)
        if exit_code is not None:
            kill_group(running.child.pid)  # whatever it started goes with it
            del self._running[run_id]
            if running.stopped is None and exit_code == -signal.SIGKILL:
                running.stopped = _killed_by(running.kills_before)
            yield Update(run_id, result=_result(running, exit_code))
        elif running.stopped is None and (limit := _limit_met(running)):
            running.stopped = limit
            kill_group(running.child.pid)


def accelerator_places(devices_per_cell: int) -> tuple[str, ...]:
    """Return this machine's accelerators in groups, as `places` names them; the rest is left."""
    ids = accelerator_ids()
    starts = range(0, len(ids) - devices_per_cell + 1, devices_per_cell)
    return tuple(",".join(ids[start : start + devices_per_cell]) for start in starts)


def child_environment(cell: Cell) -> dict[str, str]:
    """Return the variables that are fixed when a process imports Keras."""
    threads = str(cell.threads)
    return {
        "KERAS_BACKEND": cell.backend,
        "OMP_NUM_THREADS": threads,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # numbers as NVML and /dev have them
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "1",  # TensorFlow leaves them off without AVX-512
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _limit_met(running: _Running) -> str | None:
    elapsed = time.monotonic() - running.started
    if elapsed > (running.limits.seconds if running.heard else START_LIMIT_SECONDS):
        return "time"
    if _held_bytes(running.child.pid) > running.limits.memory_bytes:
        return "memory"
    with suppress(OSError):
        if (running.folder / "log.txt").stat().st_size > LOG_LIMIT_BYTES:
            return "output"
    return None


def kills_for_memory() -> int | None:
    """Return how often the kernel has killed a process for want of memory; None if it is silent."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None


def _killed_by(kills_before: int | None) -> str | None:
    """Say "system" where the kernel has killed for want of memory since the child began."""
    now = kills_for_memory()
    return "system" if now is not None and kills_before is not None and now > kills_before else None


def _held_bytes(pid: int) -> int:
    """Return a process's resident memory without mapped files, 0 where /proc does not tell.

    The pages of libraries are the system's to take back, and are no part of what a cell holds.
    """
    try:
        words = Path(f"/proc/{pid}/statm").read_bytes().split()
        pages = int(words[1]) - int(words[2])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _new_lines(running: _Running) -> Iterator[Mapping[str, Any]]:
    """Yield the whole lines that the child has added to its progress file."""
    try:
        with open(running.folder / "progress.jsonl", "rb") as file:
            file.seek(running.offset)
            fresh = file.read()
    except FileNotFoundError:
        return
    running.offset += len(fresh)
    *lines, running.partial = (running.partial + fresh).split(b"\n")
    for line in lines:
        yield json.loads(line)


def _result(running: _Running, exit_code: int) -> ProcessResult:
    outcome = None
    with suppress(FileNotFoundError):
        outcome = json.loads((running.folder / "outcome.json").read_bytes())
    return ProcessResult(outcome, exit_code, running.stopped, _tail(running.folder / "log.txt"))


def _tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
