"""What every executor does: cells run, are limited and are lost alike, wherever they run."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import subprocess
import time
from contextlib import redirect_stderr

import psutil
import pytest

from suite.api import Limits, SourceRequest, Status
from suite.execution.executors.base import classify_exit
from suite.execution.executors.local import LocalExecutor
from tests.builders.cells import probe_job
from tests.builders.trainings import make_job
from tests.conftest import BENCH, FAKES, bench_environment, read_records, wait_for_phase

LIMITS = Limits(seconds=200, memory_bytes=2**34)
HASTY = ("--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty", "--threads", "1")
QUIET = ("--no-tracking", "--no-dashboard")


def local(home):
    return LocalExecutor(spawn=True)


def slurm(home):
    pytest.importorskip("submitit")
    from suite.execution.executors.slurm import SlurmExecutor

    return SlurmExecutor(home, cluster="local")


def ray(home):
    pytest.importorskip("ray")
    from suite.execution.executors.ray import RayExecutor

    return RayExecutor()


EXECUTORS = [slurm, *(pytest.param(each, marks=pytest.mark.slow) for each in (local, ray))]
"""The cells of most other tests run locally."""
COMMANDS = {
    "local": (),
    "slurm": ("--executor", "slurm", "--address", "local"),
    "ray": ("--executor", "ray"),
}


@pytest.fixture(params=EXECUTORS)
def executor(request, tmp_path):
    made = request.param(tmp_path / "home")
    yield made
    made.close()


def results_of(executor, *jobs, limits=LIMITS):
    """Run jobs, and return the result of each by the name of its folder."""
    found = {}
    for job in jobs:
        job.folder.mkdir(exist_ok=True)
        executor.start(job.folder.name, job, limits)
    while len(found) < len(jobs):
        for update in executor.wait():
            if update.result:
                found[update.run_id] = update.result
    return found


def test_a_killed_worker_fails_and_harms_no_other_cell(executor, tmp_path):
    jobs = [probe_job(tmp_path / name, name) for name in ("killed", "hasty")]
    found = results_of(executor, *jobs)
    verdicts = {name: classify_exit(result, LIMITS) for name, result in found.items()}
    assert verdicts["killed"] == (Status.FAILED, "killed by signal 9")
    assert verdicts["hasty"] == (Status.OK, None)
    assert all(result.seconds for result in found.values())


@pytest.mark.slow  # test_runner.py has it locally
def test_a_cell_ends_at_its_limit(executor, tmp_path):
    limits = Limits(seconds=1, memory_bytes=2**34)
    (result,) = results_of(executor, probe_job(tmp_path / "a", "hangs"), limits=limits).values()
    assert classify_exit(result, limits)[0] is Status.TIMED_OUT


@pytest.mark.slow  # as above
def test_a_machine_without_the_data_fails_with_the_reason(executor, tmp_path):
    job = make_job(tmp_path / "cell", "ner", "identity", 2)
    nowhere = SourceRequest("files", str(tmp_path / "nowhere"))
    job = dataclasses.replace(job, source=nowhere, cache=tmp_path / "cache")
    (result,) = results_of(executor, job).values()
    status, reason = classify_exit(result, LIMITS)
    assert status is Status.FAILED and "nowhere" in reason and "\n" not in reason


def begun(executor, job):
    """Start a cell, and return its run id when it has reported progress."""
    executor.start(job.folder.name, job, LIMITS)
    while not any(update.progress for update in executor.wait()):
        pass
    return job.folder.name


@pytest.mark.slow  # 25 s: two jobs start
def test_a_job_of_slurm_outlives_its_command_and_the_next_one_attaches(tmp_path):
    first = slurm(tmp_path / "home")
    run_id = begun(first, probe_job(tmp_path / "a", "hangs"))
    (cell,) = first._cells.values()
    job_id = cell.submitted.job_id
    with redirect_stderr(io.StringIO()) as said:
        first.close()
    assert psutil.pid_exists(int(job_id))
    assert "attaches to them" in said.getvalue() and job_id in said.getvalue()
    second = slurm(tmp_path / "home")
    begun(second, dataclasses.replace(cell.job, folder=tmp_path / "b"))
    assert [one.submitted.job_id for one in second._cells.values()] == [job_id] and run_id == "a"
    # A job that is lost meanwhile: its node fails.
    controller = psutil.Process(int(job_id))
    for process in [*controller.children(recursive=True), controller]:
        process.kill()
    while not (found := [update.result for update in second.wait() if update.result]):
        pass
    status, reason = classify_exit(found[0], LIMITS)
    assert status is Status.FAILED and f"Slurm job {job_id} ended without a result" in reason
    assert found[0].environment["slurm_job"] == job_id
    assert cell.submitted.done()  # this process started it, and takes note of its end


def test_the_script_of_a_job_has_the_limits_of_the_plan(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    from suite.execution.executors import slurm as module

    tools = tmp_path / "bin"
    tools.mkdir()
    for name, answer in (("srun", ""), ("sbatch", "Submitted batch job 17"), ("sacct", "")):
        copy = f'cp "$1" {tmp_path}/script 2> /dev/null'
        (tools / name).write_text(f"#!/bin/sh\n{copy}\necho {answer}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    executor = module.SlurmExecutor(tmp_path / "home", parallel=2, num_gpus=1)
    limits = Limits(seconds=3_600, memory_bytes=3 * 2**30)
    for name in ("hasty", "nothing", "brisk"):
        executor.start(name, probe_job(tmp_path / name, name), limits)
    assert executor.wait() == []
    executor.close()
    script = (tmp_path / "script").read_text()
    asked = dict(line[10:].split("=", 1) for line in script.splitlines() if "SBATCH --" in line)
    assert asked["array"] == "0-2%2", "one array holds the cells of a plan"
    assert asked["time"] == "70" and asked["mem"] == "5GB" and asked["gpus-per-node"] == "1"
    assert asked["output"].startswith(str(tmp_path / "home" / "slurm" / "logs"))


def start(home, *options):
    return subprocess.Popen(
        [str(BENCH), "run", *HASTY, *QUIET, *options],
        env=bench_environment({"BENCH_HOME": str(home), "BENCH_PATH": str(FAKES)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow  # each starts several processes that import the framework
@pytest.mark.parametrize("name", COMMANDS)
def test_two_commands_on_one_home_run_each_cell_once(tmp_path, name):
    if name != "local":
        pytest.importorskip({"slurm": "submitit"}.get(name, name))
    both = [start(tmp_path, "--rounds", "3", *COMMANDS[name]) for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=500)
        assert process.returncode == 0, output
    records = read_records(tmp_path)
    assert [record["status"] for record in records] == ["ok"] * 3
    assert len({record["cell_id"] for record in records}) == 3


@pytest.mark.slow  # as above
@pytest.mark.parametrize("name", COMMANDS)
def test_after_a_killed_command_the_next_one_runs_what_is_missing(tmp_path, name):
    if name != "local":
        pytest.importorskip({"slurm": "submitit"}.get(name, name))
    with start(tmp_path, "--rounds", "2", *COMMANDS[name]) as process:
        wait_for_phase(tmp_path, "warming up")
        process.send_signal(signal.SIGKILL)
    time.sleep(1)
    again = start(tmp_path, "--rounds", "2", *COMMANDS[name])
    output, _ = again.communicate(timeout=500)
    assert again.returncode == 0, output
    ended = [record for record in read_records(tmp_path) if record["status"] == "ok"]
    assert len(ended) == 2 and len({record["cell_id"] for record in ended}) == 2
