"""The fork server's process: imports modules once, then forks a child for each request.

Standard library only. The process stays single-threaded, because a fork copies the calling thread
alone. `forkserver.ForkServer` starts it with a Unix socket for requests.

A request is one JSON line with the job's folder and the working directory, and a socket for this
child alone, its channel. On the channel the server writes lines: the child's process id, then its
exit code (negative for a signal), then "reaped". When the client shuts the channel down for
writing, the server kills the child's process group.

Only the server signals its children, and it reaps a child after the group was killed. Until then
the dead child keeps its process id, so that no signal can reach an unrelated process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from suite.execution.executors import entry

PARENT_CHECK_SECONDS = 1.0
REQUEST_BYTES = 65_536


@dataclass
class _Child:
    pid: int
    channel: socket.socket
    ended: bool = False
    kill_requested: bool = False


class _Server:
    def __init__(self, control: socket.socket, parent: int) -> None:
        self._control = control
        self._parent = parent
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._wakeup_writer = socket.socketpair()
        for end in (self._wakeup, self._wakeup_writer):
            end.setblocking(False)
        # A Python-level handler is needed for the wake-up; the default action would discard it.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakeup_writer.fileno(), warn_on_full_buffer=False)
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)

    def serve(self) -> None:
        while os.getppid() == self._parent:
            for key, _ in self._selector.select(PARENT_CHECK_SECONDS):
                if key.fileobj is self._wakeup:
                    self._wakeup.recv(4_096)
                    self._report_ended_children()
                elif key.fileobj is self._control:
                    if not self._answer():
                        return
                else:
                    self._kill(key.data)

    def close(self) -> None:
        for child in list(self._children.values()):
            self._kill_group(child)
            os.waitpid(child.pid, 0)

    def _answer(self) -> bool:
        """Fork a child for the next request; return False when the parent closed the socket."""
        text, descriptors, _, _ = socket.recv_fds(self._control, REQUEST_BYTES, 1)
        while text and not text.endswith(b"\n"):
            more = self._control.recv(REQUEST_BYTES)
            if not more:
                return False
            text += more
        if not text:
            return False
        channel = socket.socket(fileno=descriptors[0])
        request = json.loads(text)
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # no memory or no process id is left; the client sees the channel close
            channel.close()
            return True
        if pid == 0:
            self._run_child(channel, server, **request)
        child = _Child(pid, channel)
        self._children[pid] = child
        self._selector.register(channel, selectors.EVENT_READ, child)
        self._send(child, str(pid))
        return True

    def _run_child(
        self, channel: socket.socket, server: int, folder: str, working_directory: str
    ) -> NoReturn:
        """Run the job in this process, which is the forked child, and exit.

        The child keeps its channel open: if the server dies, the client sees its end after the
        child's.
        """
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self._control, self._wakeup, self._wakeup_writer):
                end.close()
            for other in self._children.values():
                other.channel.close()
            self._selector.close()
            os.chdir(working_directory)
            entry.run(folder, server)
            code = 0
        except SystemExit as exit_request:
            code = _exit_code(exit_request)
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)

    def _report_ended_children(self) -> None:
        for child in list(self._children.values()):
            if child.ended:
                continue
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT  # report without reaping
            status = os.waitid(os.P_PID, child.pid, options)
            if status is None:
                continue
            child.ended = True
            exited = status.si_code == os.CLD_EXITED
            self._send(child, str(status.si_status if exited else -status.si_status))
            if child.kill_requested:
                self._reap(child)

    def _kill(self, child: _Child) -> None:
        """Kill a child's group on the client's request, and reap the child once it has ended."""
        child.kill_requested = True
        self._selector.unregister(child.channel)
        self._kill_group(child)
        if child.ended:
            self._reap(child)

    def _reap(self, child: _Child) -> None:
        self._kill_group(child)  # a process may have joined the group since
        os.waitpid(child.pid, 0)
        del self._children[child.pid]
        self._send(child, "reaped")
        child.channel.close()

    def _kill_group(self, child: _Child) -> None:
        """Kill an unreaped child and its group; before it leads a group, the child alone."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(child.pid, signal.SIGKILL)
                return

    def _send(self, child: _Child, line: str) -> None:
        with contextlib.suppress(OSError):  # the client may have closed the channel
            child.channel.sendall(f"{line}\n".encode())


def _exit_code(request: SystemExit) -> int:
    """Return the exit code that the interpreter gives a SystemExit."""
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr)
    return 1


@contextlib.contextmanager
def _ending_with(parent: int) -> Iterator[None]:
    """End this process within the block if its parent ends. Imports take up to minutes.

    A timer watches the parent, because a thread would not survive the forks.
    """

    def check(number: int, frame: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGALRM, check)
    signal.setitimer(signal.ITIMER_REAL, PARENT_CHECK_SECONDS, PARENT_CHECK_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def main(arguments: Sequence[str]) -> None:
    """Serve on the socket with the given descriptor, after importing the named modules."""
    descriptor, parent, *modules = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with _ending_with(int(parent)):
        for name in modules:
            # A module that cannot be imported fails again in the child, which has a log.
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    # A child's collections need not visit the framework's objects, nor copy their pages.
    gc.collect()
    gc.freeze()
    server = _Server(socket.socket(fileno=int(descriptor)), int(parent))
    try:
        server.serve()
    finally:
        server.close()


if __name__ == "__main__":
    main(sys.argv[1:])
