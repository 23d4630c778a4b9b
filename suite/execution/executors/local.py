"""Runs cells on this machine: one fresh process each, watched for time, memory and output.

Where fork is safe, children come from a `multiprocessing` forkserver that has imported the
framework and run no operation: one server for each environment, because backend, threads and
compiler flags are fixed when a process imports Keras. Elsewhere each child is a new interpreter.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from multiprocessing import forkserver, popen_forkserver, process, reduction, util
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.context import set_spawning_popen
from pathlib import Path
from typing import Any, Protocol

from suite.api import Cell, Job, Limits
from suite.execution.executors import entry
from suite.records.environment import accelerator_ids

POLL_SECONDS = 0.2
START_LIMIT_SECONDS = 300.0
LOG_LIMIT_BYTES = 64 * 2**20
LOG_TAIL_BYTES = 8_000


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a child ended: its outcome file's content, its exit code, and what stopped it."""

    outcome: Mapping[str, Any] | None
    exit_code: int
    stopped: str | None
    """None, or which limit it met: "time", "memory", "output"; "system" where it was killed while
    the kernel was killing for want of memory; "lost" where the machine itself went."""
    log_tail: str
    environment: Mapping[str, Any] | None = None
    """The machine it ran on, where that is not the parent's."""
    lost: tuple[str, ...] = ()
    """How it was lost with a machine before, and so begun again on another."""


@dataclass(frozen=True, slots=True)
class Update:
    """News of a child: a line of progress, or its ending."""

    run_id: str
    progress: Mapping[str, Any] | None = None
    ending: ProcessResult | None = None


class Executor(Protocol):
    """What the runner needs of a place where cells run."""

    def has_room(self) -> bool:
        """Whether another cell may start now."""

    def start(self, run_id: str, job: Job, limits: Limits) -> None:
        """Start a cell."""

    def wait(self) -> list[Update]:
        """Wait a moment, and return what is new."""

    def close(self) -> None:
        """Stop what still runs, and what the executor itself started."""


class _Child(Protocol):
    """The little of a process that both ways of starting one share."""

    pid: int
    sentinel: int

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""


@dataclass
class _Running:
    """A child under watch."""

    child: _Child
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
        child: _Child
        if self.spawn:
            child = _Spawned(job.folder, environment)
        else:
            child = _Forked(job.folder, self._server(environment))
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
            _kill_group(running.child.pid)
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
        with _environment(environment), _quiet_stderr():
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
            _kill_group(running.child.pid)  # whatever it started goes with it
            del self._running[run_id]
            if running.stopped is None and exit_code == -signal.SIGKILL:
                running.stopped = _killed_by(running.kills_before)
            yield Update(run_id, ending=_ending(running, exit_code))
        elif running.stopped is None and (limit := _limit_met(running)):
            running.stopped = limit
            _kill_group(running.child.pid)


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


def _ending(running: _Running, exit_code: int) -> ProcessResult:
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


def _kill_group(pid: int) -> None:
    """Kill a child and all it started; before it leads a group, the child alone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
        return
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for what is started within; processes take over their parent's."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep a framework's greetings off the terminal; a child's own output goes to its log."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class _Spawned:
    """A child that is a new interpreter."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.sentinel, held_by_child = os.pipe()  # readable once the child is gone
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", entry.__name__, str(folder)],
                env={**os.environ, **environment},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                pass_fds=(held_by_child,),
            )
        finally:
            os.close(held_by_child)
        self.pid = self._process.pid

    def exit_code(self) -> int | None:
        code = self._process.poll()
        if code is not None and self.sentinel >= 0:
            os.close(self.sentinel)
            self.sentinel = -1
        return code


class _Forked:
    """A child of a forkserver."""

    def __init__(self, folder: Path, server: forkserver.ForkServer) -> None:
        self._process = _ForkServerProcess(server, folder)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.sentinel = self._process.sentinel

    def exit_code(self) -> int | None:
        return self._process.exitcode


class _ForkServerProcess(process.BaseProcess):
    """A process started by a given forkserver; the standard one knows a single global server."""

    _start_method = "forkserver"

    def __init__(self, server: forkserver.ForkServer, folder: Path) -> None:
        super().__init__(target=entry.run, args=(str(folder),))
        self.server = server

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "server"}

    @staticmethod
    def _Popen(process_object: _ForkServerProcess) -> _ForkServerPopen:  # noqa: N802 - its name there
        return _ForkServerPopen(process_object)


class _ForkServerPopen(popen_forkserver.Popen):
    """Launches through the process's own server, and leaves the parent's main module out."""

    def _launch(self, process_object: _ForkServerProcess) -> None:
        buffer = BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump({"sys_path": sys.path, "dir": str(Path.cwd())}, buffer)
            reduction.dump(process_object, buffer)
        finally:
            set_spawning_popen(None)
        self.sentinel, data = process_object.server.connect_to_new_process(
            self._fds  # type: ignore[attr-defined]
        )
        held_open = os.dup(data)  # the child sees the parent's end by its closing
        close = util.close_fds  # type: ignore[attr-defined]
        self.finalizer = util.Finalize(self, close, (held_open, self.sentinel))
        with open(data, "wb", closefd=True) as file:
            file.write(buffer.getbuffer())
        self.pid = forkserver.read_signed(self.sentinel)
