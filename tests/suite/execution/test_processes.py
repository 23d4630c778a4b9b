"""Processes of cells: how they start, end, and are killed."""

from __future__ import annotations

import dataclasses
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from suite.api import Limits, Status
from suite.api.errors import LengthwiseError
from suite.execution.executors import local, process_facts
from suite.execution.executors.base import classify_exit
from suite.execution.executors.forkserver import ForkServer
from suite.execution.executors.local import LocalExecutor
from suite.execution.executors.process import run_module, why_ended
from tests.builders.cells import begin, outcome_from, probe_job
from tests.conftest import ROOT

SCRIPT = """
import os, select, signal, sys
from pathlib import Path
from suite.execution.executors.forkserver import ForkServer

print("top level", flush=True)
server = ForkServer({}, ())
child = server.fork(Path(sys.argv[1]))
os.kill(child.pid, signal.SIGKILL)
select.select([child.sentinel], [], [])
print("exit code", child.exit_code())
server.close()
"""


@pytest.fixture
def server():
    """Yield a server that imports nothing: its children are killed before they import anything."""
    server = ForkServer({}, ())
    yield server
    server.close()


def killed(child):
    """Kill a child, wait until it has ended, and return its exit code."""
    os.kill(child.pid, signal.SIGKILL)
    select.select([child.sentinel], [], [])
    return child.exit_code()


def processes(mark: str) -> list[psutil.Process]:
    """Return the descendants of this process that have `mark` in their command line."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile; a zombie is one too
            while not (words := process.cmdline()):  # empty for a moment after exec
                time.sleep(0.001)
            if mark in " ".join(words):
                found.append(process)
    return found


def result_of(executor: LocalExecutor):
    """Wait for the one cell that runs, and return its result."""
    while True:
        for update in executor.wait():
            if update.result:
                return update.result


def test_a_dead_child_keeps_its_process_id_until_its_group_was_killed(server, tmp_path):
    child = server.fork(tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    select.select([child.sentinel], [], [])
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert child.exit_code() == -signal.SIGKILL
    assert not psutil.pid_exists(child.pid)
    child.kill()  # signals nothing
    assert child.exit_code() == -signal.SIGKILL


REPORTS_ITS_START = """
import gc
import sys

from baselines.vanilla import Vanilla
from suite.worker import UNUSED


class Reports(Vanilla):
    def compile_with_xla(self, request):
        loaded = [name for name in UNUSED["tensorflow"] if name in sys.modules]
        import pandas

        frozen = gc.get_freeze_count()
        raise ValueError(f"{frozen} frozen; loaded: {loaded}; sum: {pandas.Series([1]).sum()}")


ARCHITECTURE = Reports()
"""


def test_a_cell_starts_with_frozen_objects_and_without_unused_packages(tmp_path):
    """Collections do not visit the framework's objects. A plug-in can import the packages later."""
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "reports.py").write_text(REPORTS_ITS_START)
    job = probe_job(tmp_path / "cell", "hasty")
    cell = dataclasses.replace(job.cell, architecture="reports")
    job = dataclasses.replace(job, cell=cell, search_path=(str(tmp_path),))
    executor = LocalExecutor()
    begin(executor, job)
    message = outcome_from(executor)["error"]["message"]
    executor.close()
    (frozen,) = re.findall(r"(\d+) frozen; loaded: \[\]; sum: 1", message)
    assert int(frozen) > 100_000


@pytest.mark.parametrize("spawn", [False, True], ids=["forked", "spawned"])
def test_no_signal_is_sent_to_a_reaped_process(tmp_path, monkeypatch, spawn):
    """A signal to a process id that is free again could kill an unrelated process."""
    signalled, kill, killpg = [], os.kill, os.killpg

    def recorded(send):
        def wrapper(pid, number):
            signalled.append((pid, Path(f"/proc/{pid}").exists()))
            send(pid, number)

        return wrapper

    monkeypatch.setattr(os, "kill", recorded(kill))
    monkeypatch.setattr(os, "killpg", recorded(killpg))
    executor = LocalExecutor(spawn=spawn)
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    started = time.monotonic()
    begin(executor, probe_job(tmp_path / "cell", "hangs"))
    own = psutil.Process().children()
    # The cell's own children, such as Git, do not count.
    cells = own if spawn else [cell for server in own for cell in server.children()]
    (child,) = (cell for cell in cells if cell.pid not in before)
    kill(child.pid, signal.SIGKILL)
    result, seconds = result_of(executor), time.monotonic() - started
    assert result.exit_code == -signal.SIGKILL and 0 < result.seconds <= seconds
    executor.close()
    assert all(existed for _, existed in signalled), signalled


def test_descendants_of_a_cell_end_with_it(tmp_path):
    executor = LocalExecutor()
    begin(executor, probe_job(tmp_path / "cell", "leaves"))
    outcome = outcome_from(executor)
    (left,) = re.findall(r"left process (\d+)", outcome["error"]["message"])
    executor.close()
    assert ends(int(left))


def ends(pid: int) -> bool:
    """Wait for up to ten seconds until a process has ended, and say whether it has."""
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_outlives_the_thread_that_started_its_server(server, tmp_path):
    started = []
    thread = threading.Thread(target=lambda: started.append(server.fork(tmp_path)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    (child,) = started
    assert child.exit_code() is None
    assert killed(child) == -signal.SIGKILL


def test_a_script_without_a_main_guard_runs_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.stdout, ended.stderr) == ("top level\nexit code -9\n", "")


KILLED_DURING_IMPORTS = """
import os, signal, subprocess, sys, time
from pathlib import Path
from suite.execution.executors import forkserver

server = forkserver.ForkServer({"PYTHONPATH": os.environ["PYTHONPATH"]}, ("slow",))
server._start()
while not Path("started").exists():
    time.sleep(0.05)
print(server._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_ends_with_its_parent_while_it_imports(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\nfrom pathlib import Path\nPath('started').touch()\ntime.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-c", KILLED_DURING_IMPORTS]
    script = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert script.returncode == -signal.SIGKILL, script.stderr
    server = int(script.stdout)
    deadline = time.monotonic() + 10.0
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(server).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, "the server still imports"
            time.sleep(0.1)


def test_a_dead_server_takes_its_children_along_and_is_replaced(server, tmp_path):
    child = server.fork(tmp_path)
    psutil.Process(child.pid).parent().kill()
    while (code := child.exit_code()) is None:
        select.select([child.sentinel], [], [], 0.2)
    assert code == -signal.SIGKILL
    assert ends(child.pid)
    another = server.fork(tmp_path)
    assert another.exit_code() is None
    assert killed(another) == -signal.SIGKILL


def test_closing_a_server_ends_its_children(server, tmp_path):
    children = [server.fork(tmp_path) for _ in range(3)]
    server.close()
    assert not any(psutil.pid_exists(child.pid) for child in children)
    for child in children:
        assert child.exit_code() == -signal.SIGKILL


def test_a_server_that_cannot_start_is_one_clear_error(tmp_path):
    server = ForkServer({"PYTHONHOME": str(tmp_path), "PYTHONPATH": ""}, ())
    with pytest.raises(LengthwiseError, match="The fork server could not start"):
        server.fork(tmp_path)


@pytest.mark.parametrize(
    ("names", "status", "end"),
    [
        (["cell"], Status.OUT_OF_MEMORY, "killed while the system was out of memory"),
        # Whose memory was too much is unknown: the cell runs again.
        (["cell", "other"], Status.INTERRUPTED, "use --parallel 1"),
    ],
    ids=["alone", "beside another"],
)
def test_killed_while_the_kernel_kills_for_memory(tmp_path, monkeypatch, names, status, end):
    kills = iter([*[3] * len(names), 4])
    monkeypatch.setattr(process_facts, "kills_for_memory", lambda: next(kills))
    executor = LocalExecutor(parallel=len(names), spawn=True)
    for name in names:
        begin(executor, probe_job(tmp_path / name, "hangs"))
    (child,) = processes(str(tmp_path / "cell"))
    child.kill()
    found, reason = classify_exit(result_of(executor), Limits(seconds=1, memory_bytes=1))
    executor.close()
    assert found is status and reason.endswith(end)


class Clock:
    """A monotonic clock that a test can set forward, as a machine that sleeps does."""

    def __init__(self):
        self.slept = 0.0

    def monotonic(self):
        return time.monotonic() + self.slept


def test_a_pause_does_not_count_against_the_time_limit_and_a_hang_does(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(local, "time", clock)
    executor, limit = LocalExecutor(spawn=True), 3.0
    folder = tmp_path / "cell"
    executor.start("run", probe_job(folder, "hangs"), Limits(limit, 2**34))
    (child,) = processes(str(folder))
    while not (folder / "progress.jsonl").exists():
        assert not any(update.result for update in executor.wait())

    def polls(seconds):
        """Poll for some seconds, and return the results."""
        ends = time.monotonic() + seconds
        updates = []
        while time.monotonic() < ends and not updates:
            updates = [update.result for update in executor.wait() if update.result]
        return updates

    child.suspend()  # SIGSTOP
    assert polls(limit + 1) == []
    child.resume()
    clock.slept = 100 * limit
    assert polls(limit / 6) == []
    (result,) = polls(60)
    executor.close()
    assert classify_exit(result, Limits(limit, 1))[0] is Status.TIMED_OUT
    assert result.seconds < 60


def test_each_accelerator_has_one_cell_at_a_time(tmp_path):
    executor = LocalExecutor(parallel=2, spawn=True, accelerators=("0", "1"))
    seen = {}

    def start(name):
        begin(executor, probe_job(tmp_path / name, "hangs"))
        (process,) = processes(str(tmp_path / name))
        seen[name] = process.environ()["CUDA_VISIBLE_DEVICES"]
        return process

    first = start("first")
    assert executor.has_room()
    start("second")
    assert not executor.has_room()
    first.kill()
    result_of(executor)
    assert executor.has_room()
    start("third")
    executor.close()
    assert seen == {"first": "0", "second": "1", "third": "0"}


def test_held_memory_is_what_a_process_has_written(tmp_path):
    """Mapped files are not counted: the kernel can reclaim their pages."""
    size = 64 * 2**20
    file = tmp_path / "mapped"
    file.write_bytes(bytes(size))
    program = (
        "import mmap, sys\n"
        "kept = None\n"
        "if sys.argv[1] == 'mapped':\n"
        "    file = open(sys.argv[2], 'rb')\n"
        "    kept = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "    sum(kept[::4096])\n"
        "elif sys.argv[1] == 'written':\n"
        f"    kept = bytearray(b'x') * {size}\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    held = {}
    for kind in ("nothing", "mapped", "written"):
        command = [sys.executable, "-c", program, kind, str(file)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as process:
            process.stdout.readline()
            held[kind] = process_facts.held_bytes(process.pid)
            process.stdin.close()
    assert held["mapped"] - held["nothing"] < size / 8
    assert abs(held["written"] - held["nothing"] - size) < size / 8
    assert process_facts.held_bytes(2**22 + 1) == 0  # no process has that number


@pytest.mark.parametrize(
    ("code", "errors", "reason"),
    [
        (-9, "I0000 00:00:1 port.cc:153] a log", "SIGKILL"),
        (1, "ValueError: no\nI0000 00:00:1 port.cc:153] a log", "ValueError: no"),
        (3, "", "exit code 3"),
    ],
)
def test_the_end_of_a_process_is_a_signal_or_its_last_error(code, errors, reason):
    assert why_ended(subprocess.CompletedProcess([], code, "", errors)) == reason


def test_a_module_in_a_process_of_its_own_gets_no_input():
    """It would wait for the user, or take lines that are another program's."""
    read, write = os.pipe()
    kept = os.dup(0)
    os.dup2(read, 0)
    try:
        os.write(write, b"raise SystemExit(3)\n")
        os.close(write)
        assert run_module("code", environment={}).returncode == 0
    finally:
        os.dup2(kept, 0)
        for descriptor in (read, kept):
            os.close(descriptor)
