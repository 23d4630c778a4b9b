"""The runner with architectures that fail in all ways, through the command line."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from suite.api import Mode, Status
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.environment import describe_machine
from suite.records.store import Store
from tests.builders.records import make_record
from tests.conftest import (
    BENCH,
    FAKES,
    bench_environment,
    processes_of,
    read_records,
    run_bench,
    wait_for_phase,
)

PROBE = ("run", "--mode", "probe", "--benchmark", "smoke", "--no-dashboard", "--threads", "1")
FAST = (*PROBE, "--no-tracking")


def leave(home: Path, *architectures: str, **fields) -> list[Path]:
    """Write the records of a run of `FAST`, and return their paths."""
    request = Request(mode=Mode.PROBE, benchmark="smoke", architectures=architectures, threads=1)
    store = Store(home)
    store.prepare()
    cells = expand(request, load_registry((str(FAKES),)))
    own = {"environment": describe_machine(), **fields}
    return [store.write(make_record(cell=planned.cell, **own)) for planned in cells]


BROKEN = {
    "raises": "ValueError: this fake always raises",
    "aborts": "killed by signal 6",
    "segfaults": "killed by signal 11",
    "killed": "killed by signal 9",
    "exits": "ended with exit code 0 before its outcome was complete",
    "floods": "wrote more output than the log may hold",
}


def test_a_broken_cell_is_a_result_and_its_neighbour_is_well(bench, tmp_path):
    result = bench(*FAST, "--architectures", ",".join([*BROKEN, "hasty"]))
    assert result.returncode == 1, result.stderr
    *broken, neighbour = read_records(tmp_path / "home")
    assert {record["cell"]["architecture"]: record["reason"] for record in broken} == BROKEN
    for record in broken:
        assert record["status"] == "failed"
        assert record["error"]["message"]
        assert record["reason"] in result.stdout
    assert neighbour["status"] == "ok"


def test_a_hanging_cell_is_timed_out(bench, tmp_path):
    result = bench(*FAST, "--architectures", "hangs", "--time-limit", "2")
    assert result.returncode == 1
    (record,) = read_records(tmp_path / "home")
    assert (record["status"], record["reason"]) == ("timed_out", "exceeded the time limit of 2 s")


def test_a_hungry_cell_is_out_of_memory(bench, tmp_path):
    result = bench(*FAST, "--architectures", "hungry", "--memory-limit", "2GiB")
    assert result.returncode == 1
    (record,) = read_records(tmp_path / "home")
    assert (record["status"], record["reason"]) == (
        "out_of_memory",
        "exceeded the memory limit of 2.0 GiB",
    )
    assert record["details"]["limits"]["memory_bytes"] == 2 * 2**30


def test_nan_is_diverged_with_its_step_and_no_nan_in_the_record(bench, tmp_path):
    words = "run --task parity --benchmark smoke --architectures diverges --no-tracking"
    result = bench(*words.split())
    assert result.returncode == 1
    (record,) = read_records(tmp_path / "home")
    assert record["status"] == "diverged"
    assert record["reason"].endswith("at step 1")
    (path,) = (tmp_path / "home" / "records").iterdir()
    assert "NaN" not in path.read_text()


def test_what_is_unsupported_is_shown_recorded_and_does_not_fail(bench, tmp_path):
    leave(tmp_path / "home", "nothing")
    result = bench(*FAST, "--architectures", "nothing,images_only")
    assert result.returncode == 0, result.stderr
    assert "0 to run" in result.stdout
    assert "images_only" in result.stdout
    assert "does not take token_ids; it takes: patches" in result.stdout
    by_name = {record["cell"]["architecture"]: record for record in read_records(tmp_path / "home")}
    assert by_name["images_only"]["status"] == "unsupported"


def test_a_cell_that_does_not_run_names_the_data_that_it_would_have_read(bench, tmp_path):
    words = "run --task parity --architectures images_only,hasty --steps 1 --no-tracking"
    ran = bench(*words.split(), "--no-dashboard", "--data", f"files:{tmp_path}")
    assert ran.returncode == 0
    known = {
        record["status"]: record["data"]["digest"] for record in read_records(tmp_path / "home")
    }
    assert known["unsupported"] == known["ok"]


def test_the_second_time_only_what_is_lost_or_asked_for_runs(bench, tmp_path):
    home = tmp_path / "home"
    leave(home, "raises", details={"noisy": ["training"]})
    leave(home, "killed", status=Status.FAILED)
    (path,) = leave(home, "exits")
    arguments = (*FAST, "--architectures", "raises,exits,killed")
    again = bench(*arguments)
    assert "3 cells, 0 to run, 3 done" in again.stdout
    assert again.returncode == 1  # a failure is still one
    path.write_bytes(path.read_bytes()[:500])
    retried = bench(*arguments, "--retry", "noisy,timed_out")
    assert "was left alone" in retried.stderr
    assert "3 cells, 2 to run, 1 done" in retried.stdout
    path.unlink()  # the unreadable record is still there
    ran = Counter(record["cell"]["architecture"] for record in read_records(home))
    assert ran == {"raises": 2, "exits": 1, "killed": 1}


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
    ids=lambda number: number.name,
)
def test_ctrl_c_marks_the_running_cell_and_the_same_command_finishes(tmp_path, number):
    home = tmp_path / "home"
    command = [str(BENCH), *FAST, "--architectures", "nothing"]
    environment = bench_environment({"BENCH_HOME": str(home), "BENCH_PATH": str(FAKES)})
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background ignores SIGINT, and children inherit the setting.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for_phase(home, "measuring")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    if number != signal.SIGHUP:  # no terminal is left to print to
        assert "The same command runs the missing cells" in output
    (record,) = read_records(home)
    assert record["status"] == "interrupted"
    assert record["environment"]["code"]["architecture_digest"]
    assert not list((home / "scratch").iterdir())
    assert not processes_of(home)
    run_bench(command[1:], environment, 120)
    statuses = [record["status"] for record in read_records(home)]
    assert statuses == ["interrupted", "ok"]


def test_the_parent_rests_while_children_work_and_killed_takes_them_with_it(tmp_path):
    home = tmp_path / "home"
    process = subprocess.Popen(
        [str(BENCH), *FAST, "--architectures", "hangs", "--time-limit", "200"],
        env=bench_environment({"BENCH_HOME": str(home), "BENCH_PATH": str(FAKES)}),
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "starting ·" in line:
            break
    time.sleep(2)  # on a busy machine, the rest of the start takes a while
    before, began = _cpu_seconds(process.pid), time.monotonic()
    time.sleep(3)
    share = (_cpu_seconds(process.pid) - before) / (time.monotonic() - began)
    assert share < 0.02
    assert len(processes_of(home)) >= 3  # itself, a forkserver, the cell
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while processes_of(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes_of(home)


@pytest.mark.alone
@pytest.mark.usefixtures("delivery")
def test_overhead_per_cell_and_tracking_within_limits(bench, tmp_path):
    """(wall time − workers' own) / cells, of cells that end at once, in starts of a bare Python.

    A machine that is slow, or busy with others, is so for both. The overhead was five starts.
    """
    start = _seconds_of_a_start()
    started = time.monotonic()
    result = bench(*PROBE, "--architectures", "raises", "--rounds", "40")
    wall = time.monotonic() - started
    start = (start + _seconds_of_a_start()) / 2
    assert result.returncode == 1
    records = read_records(tmp_path / "home")
    assert len(records) == 40
    first = _seconds_until_first_outcome(records)
    own = sum(record["worker_seconds"] for record in records)
    overhead = (wall - first - own) / len(records)
    print(f"overhead {overhead:.3f} s a cell, {overhead / start:.1f} starts of Python")
    assert overhead <= 12 * start


def _seconds_of_a_start() -> float:
    """Return the median time that a bare Python takes to start and end."""
    times = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _seconds_until_first_outcome(records: list[dict]) -> float:
    """Return what the first cell took, the import of the framework included."""
    first = records[0]
    begun = datetime.fromisoformat(first["invocation"]["started_at"])
    return (datetime.fromisoformat(first["ended_at"]) - begun).total_seconds()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
