"""Run cells on this machine, each in a fresh process, within limits of time, memory and output.

The time limit counts supervised seconds. They grow at each poll by the time since the poll before,
by at most `MAX_POLL_SECONDS`, and not at all while the process is stopped. A pause of the process
(SIGSTOP, a debugger), of this one (Ctrl-Z) or of the machine (sleep) therefore does not count.
A process that hangs runs as far as the system is concerned, and its time counts.

If fork is safe, the process is forked from a server that has imported the framework but run no
operation. Backend, threads and compiler flags are fixed when a process imports Keras: there is one
server for each combination. If fork is unsafe, the process is a new interpreter.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any

from suite.api import Job, Limits
from suite.execution.executors import entry, process_facts
from suite.execution.executors.base import (
    POLL_SECONDS,
    ProcessResult,
    Update,
    read_provenance,
)
from suite.execution.executors.forkserver import ForkedChild, ForkServer
from suite.execution.executors.process import SpawnedChild
from suite.records.environment import accelerator_ids, describe_machine

START_LIMIT_SECONDS = 300.0
"""The time limit until a process reports progress; its own time limit counts from there."""
MAX_POLL_SECONDS = 5 * POLL_SECONDS
"""The most supervised seconds between two polls; a longer time between them is a pause."""
LOG_LIMIT_BYTES = 64 * 2**20
LOG_TAIL_BYTES = 8_000


@dataclass
class ProgressLines:
    """The part of a progress file that has been read."""

    offset: int = 0
    partial: bytes = b""

    def read(self, folder: Path) -> Iterator[Mapping[str, Any]]:
        """Yield the complete lines that the process has added to its progress file."""
        try:
            with open(folder / "progress.jsonl", "rb") as file:
                file.seek(self.offset)
                added = file.read()
        except FileNotFoundError:
            return
        self.offset += len(added)
        *lines, self.partial = (self.partial + added).split(b"\n")
        for line in lines:
            yield json.loads(line)


@dataclass
class _Running:
    child: SpawnedChild | ForkedChild
    folder: Path
    limits: Limits
    accelerators: str | None
    kills_before: int | None
    polled_at: float
    """The time of the last poll, or of the start."""
    seconds: float = 0.0
    """The supervised seconds since the start."""
    reported_at: float | None = None
    """The supervised seconds of the first report, from which the time limit counts."""
    stopped: str | None = None
    progress: ProgressLines = field(default_factory=ProgressLines)


@dataclass
class LocalExecutor:
    """Runs up to `parallel` cells at once on this machine.

    Each of `accelerators` is a group, such as "0" or "2,3", that one cell at a time sees. Without
    them, all cells share the machine.
    """

    parallel: int = 1
    spawn: bool = False
    accelerators: tuple[str, ...] = ()
    _running: dict[str, _Running] = field(default_factory=dict)
    _servers: dict[tuple[tuple[str, str], ...], ForkServer] = field(default_factory=dict)

    def has_room(self) -> bool:
        free = not self.accelerators or bool(self._free_accelerators())
        return free and len(self._running) < self.parallel

    def start(self, run_id: str, job: Job, limits: Limits) -> None:
        (job.folder / "job.json").write_text(job.to_json())
        environment = child_environment(job.cell.backend, job.cell.threads)
        accelerators = next(iter(self._free_accelerators()), None)
        if accelerators is not None:
            environment["CUDA_VISIBLE_DEVICES"] = accelerators
        self._start(run_id, job.folder, limits, environment, accelerators)

    def run_program(
        self, program: Sequence[str], folder: Path, limits: Limits, environment: Mapping[str, str]
    ) -> ProcessResult:
        """Run the `main` of a module with arguments, in a process like that of a cell.

        The program may write `outcome.json` to `folder`. It reports no progress: its limit of time
        is `START_LIMIT_SECONDS`.
        """
        (folder / entry.PROGRAM).write_text(json.dumps(program))
        self._start(entry.PROGRAM, folder, limits, environment)
        while True:
            for update in self.wait():
                if update.run_id == entry.PROGRAM and update.result is not None:
                    return update.result

    def _start(
        self,
        run_id: str,
        folder: Path,
        limits: Limits,
        environment: Mapping[str, str],
        accelerators: str | None = None,
    ) -> None:
        kills_before = process_facts.kills_for_memory()
        child: SpawnedChild | ForkedChild
        if self.spawn:
            child = SpawnedChild(folder, environment)
        else:
            child = self._server(environment).fork(folder)
        self._running[run_id] = _Running(
            child, folder, limits, accelerators, kills_before, polled_at=time.monotonic()
        )

    def updates(self, job: Job, limits: Limits) -> Iterator[Update]:
        """Run a cell, and yield its news; the last has the result, with the facts of this node."""
        self.start("", job, limits)
        while self._running:
            for update in self.wait():
                if update.result:
                    here = {**describe_machine(), **(update.result.environment or {})}
                    update = replace(update, result=replace(update.result, environment=here))
                yield update

    def wait(self) -> list[Update]:
        """Wait until a process ends, for at most `POLL_SECONDS`, and return the news."""
        if not self._running:
            return []
        wait_for_any(
            [running.child.sentinel for running in self._running.values()], timeout=POLL_SECONDS
        )
        return [update for run_id in list(self._running) for update in self._check(run_id)]

    def stop(self) -> None:
        """Kill all running cells."""
        for running in self._running.values():
            running.child.close()
        self._running.clear()

    def close(self) -> None:
        """Kill all running cells, and end the fork servers."""
        self.stop()
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def _free_accelerators(self) -> list[str]:
        taken = {running.accelerators for running in self._running.values()}
        return [group for group in self.accelerators if group not in taken]

    def _server(self, environment: Mapping[str, str]) -> ForkServer:
        key = tuple(sorted(environment.items()))
        if key not in self._servers:
            self._servers[key] = ForkServer(environment, entry.PRELOADED)
        return self._servers[key]

    def _check(self, run_id: str) -> Iterator[Update]:
        running = self._running[run_id]
        exit_code = running.child.exit_code()
        _count_time(running)
        for line in running.progress.read(running.folder):
            if running.reported_at is None:
                running.reported_at = running.seconds
            yield Update(run_id, progress=line)
        if exit_code is not None:
            del self._running[run_id]
            yield Update(run_id, result=_result(running, exit_code, alone=not self._running))
        elif running.stopped is None and (limit := _exceeded_limit(running)):
            running.stopped = limit
            running.child.kill()


def accelerator_groups(devices_per_cell: int) -> tuple[str, ...]:
    """Return this machine's accelerators in groups; a remainder stays unused."""
    ids = accelerator_ids()
    starts = range(0, len(ids) - devices_per_cell + 1, devices_per_cell)
    return tuple(",".join(ids[start : start + devices_per_cell]) for start in starts)


def child_environment(backend: str, threads: int) -> dict[str, str]:
    """Return the environment variables that must be set before a process imports Keras."""
    return {
        "KERAS_BACKEND": backend,
        "OMP_NUM_THREADS": str(threads),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the numbering of NVML and /dev
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "1",  # off by default on processors without AVX-512
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _count_time(running: _Running) -> None:
    """Add the time since the last poll to the supervised seconds, unless it was a pause."""
    now = time.monotonic()
    if not process_facts.is_stopped(running.child.pid):
        running.seconds += min(now - running.polled_at, MAX_POLL_SECONDS)
    running.polled_at = now


def _exceeded_limit(running: _Running) -> str | None:
    started, limit = running.reported_at, running.limits.seconds
    if running.seconds > (START_LIMIT_SECONDS if started is None else started + limit):
        return "time"
    if process_facts.held_bytes(running.child.pid) > running.limits.memory_bytes:
        return "memory"
    with suppress(OSError):
        if (running.folder / "log.txt").stat().st_size > LOG_LIMIT_BYTES:
            return "output"
    return None


def _result(running: _Running, exit_code: int, alone: bool) -> ProcessResult:
    outcome = None
    with suppress(FileNotFoundError):
        outcome = json.loads((running.folder / "outcome.json").read_bytes())
    stopped = running.stopped
    if stopped is None and exit_code == -signal.SIGKILL and _kernel_killed_since(running):
        stopped = "system" if alone else "system, shared"
    return ProcessResult(
        outcome,
        exit_code,
        stopped,
        _tail(running.folder / "log.txt"),
        environment=read_provenance(running.folder),
        seconds=running.seconds,
    )


def _kernel_killed_since(running: _Running) -> bool:
    """Whether the kernel has killed any process for lack of memory since the cell started."""
    before, now = running.kills_before, process_facts.kills_for_memory()
    return now is not None and before is not None and now > before


def _tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
