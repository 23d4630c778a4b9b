"""A cell's process that is forked from a server with the framework imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from multiprocessing import forkserver, popen_forkserver, process, reduction, util
from multiprocessing.context import set_spawning_popen
from pathlib import Path
from typing import Any

from suite.execution.executors import entry


class ForkedChild:
    """A child of a forkserver."""

    def __init__(self, folder: Path, server: forkserver.ForkServer) -> None:
        self._process = _ForkServerProcess(server, folder)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.sentinel = self._process.sentinel

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while the process runs."""
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


@contextmanager
def process_environment(variables: Mapping[str, str]) -> Iterator[None]:
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
def quiet_stderr() -> Iterator[None]:
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
