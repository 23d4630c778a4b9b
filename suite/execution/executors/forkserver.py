"""A fork server of our own: its children start with the framework imported.

`multiprocessing` has one server for the whole interpreter and imports the caller's main module in
every child. Cells need a server for each environment, and a notebook or script must not run again.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO

from suite.api.errors import LengthwiseError
from suite.execution.executors.process import interpreter, interpreter_environment

SERVER = "suite.execution.executors.fork_process"
START_SECONDS = 300.0
"""The time for importing the framework and the first fork."""
KILL_SECONDS = 5.0
ATTEMPTS = 2


@dataclass
class ForkServer:
    """A process that imports `modules` under `environment`, and then forks children.

    The server starts with the first child, and again after its death. It ends with this process:
    its socket closes, and it watches its parent. Threads may share it.
    """

    environment: Mapping[str, str]
    modules: Sequence[str]
    _process: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None
    _messages: IO[bytes] | None = None
    _lock: Lock = field(default_factory=Lock)

    def fork(self, folder: Path) -> ForkedChild:
        """Start a child for the job in `folder`.

        Raises:
            LengthwiseError: the server could not.
        """
        with self._lock:
            for _ in range(ATTEMPTS):
                if not self.alive:
                    self._start()
                if child := self._request(folder):
                    return child
                messages = self._stop()
        raise LengthwiseError(
            "The fork server could not start a cell's process",
            received=messages[-300:] or "no message from the server",
            remedy="Check the memory and the number of processes, then run the command again",
        )

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the server and all its children."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        self._stop()
        self._control, server_end = socket.socketpair()
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - a framework's greetings, too
        with server_end:
            arguments = [str(server_end.fileno()), str(os.getpid()), *self.modules]
            self._process = subprocess.Popen(
                [*interpreter(SERVER), *arguments],
                env={**interpreter_environment(), **self.environment},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=self._messages,
                stderr=self._messages,
                pass_fds=(server_end.fileno(),),
            )

    def _request(self, folder: Path) -> ForkedChild | None:
        """Ask the server for a child; return None when the server died or cannot fork."""
        assert self._control is not None
        request = {"folder": str(folder), "working_directory": str(Path.cwd())}
        channel, server_end = socket.socketpair()
        try:
            with server_end:
                line = json.dumps(request).encode() + b"\n"
                socket.send_fds(self._control, [line], [server_end.fileno()])
            channel.settimeout(START_SECONDS)
            pid = _read_line(channel)
        except OSError:
            pid = b""
        except BaseException:  # Ctrl-C while the server imports the framework
            channel.close()
            self._stop()
            raise
        if not pid:
            channel.close()
            return None
        return ForkedChild(int(pid), channel, self)

    def _stop(self) -> str:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(KILL_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()  # the kernel kills its children
                self._process.wait()
        text = ""
        if self._messages is not None:
            self._messages.seek(0)
            text = self._messages.read().decode(errors="replace")
            self._messages.close()
        self._process = self._control = self._messages = None
        return " ".join(text.split())


def _read_line(channel: socket.socket) -> bytes:
    """Read up to a line break and no further; return nothing if the channel ends before."""
    line = b""
    while not line.endswith(b"\n"):
        byte = channel.recv(1)
        if not byte:
            return b""
        line += byte
    return line


class ForkedChild:
    """A child of a fork server."""

    def __init__(self, pid: int, channel: socket.socket, server: ForkServer) -> None:
        self.pid = pid
        self.sentinel = channel.fileno()
        self._channel = channel
        self._server = server
        self._text = b""
        self._ended = False
        self._code: int | None = None

    def exit_code(self) -> int | None:
        """Return None while the process runs; then kill its group, reap it, return its exit code.

        When the server died, the kernel has killed the child: the code is that of SIGKILL.
        """
        if self._code is not None:
            return self._code
        self._read()
        if not self._ended and not self._server.alive:
            self._read(KILL_SECONDS)
            self._ended = True
        code, newline, _ = self._text.partition(b"\n")
        if newline:
            self._code = int(code)
        elif self._ended:
            self._code = -signal.SIGKILL
        if self._code is not None:
            self.close()
        return self._code

    def kill(self) -> None:
        """Let the server kill the child and its group, unless the child was reaped."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let the server kill the group and reap the child, and wait for both."""
        self.kill()
        self._read(KILL_SECONDS)
        self._channel.close()

    def _read(self, seconds: float = 0.0) -> None:
        """Read the available data; with a time limit, wait for the channel's end."""
        self._channel.settimeout(seconds)
        with suppress(BlockingIOError, TimeoutError):
            while not self._ended:
                try:
                    text = self._channel.recv(4_096)
                except ConnectionError:
                    text = b""
                self._ended = not text
                self._text += text
