"""Run cells as jobs of Slurm, by submitit, each in its own fresh process.

The cells that start together are one array, with the limits of the plan. On its node, a
`LocalExecutor` starts and watches the process. A cell is therefore isolated, limited and measured
as on one machine. All nodes share the home, the code and a user's files.

A job outlives this command. Its folder in the home names it, so that the same command attaches to
it instead of submitting the cell again.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError, UncompletedJobError

from suite.api import Job, Limits
from suite.api.errors import RequestError
from suite.api.files import atomic_write_bytes
from suite.execution.executors.base import POLL_SECONDS, ProcessResult, Update
from suite.execution.executors.local import (
    LOG_TAIL_BYTES,
    START_LIMIT_SECONDS,
    LocalExecutor,
    ProgressLines,
)
from suite.records.environment import describe_commit, needs_spawn

CLUSTERS = {"slurm": submitit.SlurmJob, "local": submitit.LocalJob}
MAX_SUBMITTED = 256
"""The number of cells that Slurm holds at once; its own limit on arrays is 1,000 by default."""
SPARE_SECONDS = START_LIMIT_SECONDS + 300
"""The time of a job beyond the limit of its cell: for the start, and for Slurm's signal."""
SPARE_GIBIBYTES = 2
"""The memory of a job beyond the limit of its cell: that of the processes that watch it."""
STOPPED = {"TIMEOUT": "time", "OUT_OF_MEMORY": "memory"}
"""The states of a job that exceeded a limit of Slurm. Others without a result are losses."""
SUBMITTED = "submitted.json"


@dataclass
class _Cell:
    """A cell that Slurm holds, or that `wait` will submit: `folder` is that of its job."""

    job: Job
    limits: Limits
    folder: Path
    submitted: Any = None
    progress: ProgressLines = field(default_factory=ProgressLines)


class SlurmExecutor:
    """Runs cells as jobs of a Slurm cluster.

    Jobs and logs lie in the folder `slurm` of `home`. `cluster` is "slurm", or "local" for jobs on
    this machine. An array runs at most `parallel` cells at once. Each cell requests `num_gpus`.
    Slurm itself reads the account and the partition: from SBATCH_ACCOUNT and SBATCH_PARTITION.

    Raises:
        RequestError: this machine has no Slurm.
    """

    def __init__(
        self, home: Path, cluster: str = "slurm", parallel: int | None = None, num_gpus: int = 0
    ) -> None:
        self._home = home / "slurm"
        self._cluster = cluster
        self._cells: dict[str, _Cell] = {}
        self._commit = describe_commit()
        try:
            self._submitit = submitit.AutoExecutor(self._home / "logs" / "%j", cluster=cluster)
        except RuntimeError:
            raise RequestError(
                "--executor slurm needs a machine that submits jobs to Slurm",
                received="no command srun",
                remedy="Log in to the cluster, or try it here with --address local",
            ) from None
        self._asks: dict[str, Any] = {"name": "lengthwise", "gpus_per_node": num_gpus}
        if parallel and cluster == "slurm":
            self._asks["slurm_array_parallelism"] = parallel

    def has_room(self) -> bool:
        """Whether Slurm may hold another cell."""
        return len(self._cells) < MAX_SUBMITTED

    def start(self, run_id: str, job: Job, limits: Limits) -> None:
        """Attach to the job that an earlier command left, or let `wait` submit the cell."""
        folder = self._home / job.cell.id
        cell = _Cell(job, limits, folder)
        content = replace(job, folder=folder).to_json()
        if (folder / SUBMITTED).exists():
            left = json.loads((folder / SUBMITTED).read_bytes())
            cell.submitted = CLUSTERS[left["cluster"]](self._home / "logs" / "%j", left["job_id"])
            same_code = left["commit"] == self._commit
            if not same_code or (folder / "job.json").read_text() != content:
                cell.submitted.cancel(check=False)
                cell.submitted = None
        if cell.submitted is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "job.json").write_text(content)
        self._cells[run_id] = cell

    def wait(self) -> list[Update]:
        """Submit what has started, wait for news for at most `POLL_SECONDS`, and return it."""
        self._submit([cell for cell in self._cells.values() if cell.submitted is None])
        updates = [update for run_id in list(self._cells) for update in self._check(run_id)]
        if not updates and self._cells:
            time.sleep(POLL_SECONDS)
        return updates

    def close(self) -> None:
        """Leave the running jobs to Slurm, and say how to attach to them or to stop them."""
        left = [cell.submitted.job_id for cell in self._cells.values() if cell.submitted]
        self._cells.clear()
        if left:
            stop = "scancel" if self._cluster == "slurm" else "kill"
            print(
                f"{len(left)} jobs remain. The same command attaches to them; "
                f"`{stop} {' '.join(left)}` stops them.",
                file=sys.stderr,
            )

    def _submit(self, cells: Sequence[_Cell]) -> None:
        alike: dict[tuple[int, Limits], list[_Cell]] = {}
        for cell in cells:
            alike.setdefault((cell.job.cell.threads, cell.limits), []).append(cell)
        for (threads, limits), group in alike.items():
            self._submitit.update_parameters(**self._asks, **job_limits(threads, limits))
            try:
                with self._submitit.batch():
                    jobs = [self._submitit.submit(run_cell, str(c.folder), limits) for c in group]
            except (FailedSubmissionError, FailedJobError) as error:
                raise RequestError(
                    "Slurm must accept the jobs", received=str(error).strip().splitlines()[-1]
                ) from None
            for cell, submitted in zip(group, jobs, strict=True):
                cell.submitted = submitted
                left = {
                    "job_id": submitted.job_id,
                    "cluster": self._cluster,
                    "commit": self._commit,
                }
                atomic_write_bytes(cell.folder / SUBMITTED, json.dumps(left).encode())

    def _check(self, run_id: str) -> Iterator[Update]:
        cell = self._cells[run_id]
        done = has_ended(cell.submitted)  # before the last lines are read
        for line in cell.progress.read(cell.folder):
            yield Update(run_id, progress=line)
        if done:
            del self._cells[run_id]
            result = collect(cell.submitted)
            if (cell.folder / "weights").is_dir():
                shutil.move(cell.folder / "weights", cell.job.weights)
            shutil.rmtree(cell.folder, ignore_errors=True)
            yield Update(run_id, result=result)


def job_limits(threads: int, limits: Limits) -> dict[str, int]:
    """Return what a job requests for the limits of its cell."""
    return {
        "cpus_per_task": threads,
        "mem_gb": math.ceil(limits.memory_bytes / 2**30) + SPARE_GIBIBYTES,
        "timeout_min": math.ceil((limits.seconds + SPARE_SECONDS) / 60),
    }


def has_ended(submitted: Any) -> bool:
    """Return whether a job has a result or has ended without one."""
    if submitted.paths.result_pickle.exists():
        return True
    if not submitted.done():
        return False
    if isinstance(submitted, submitit.LocalJob):  # submitit takes that of another process for ended
        with suppress(psutil.NoSuchProcess):
            return bool(psutil.Process(int(submitted.job_id)).status() == psutil.STATUS_ZOMBIE)
    return True


def collect(submitted: Any) -> ProcessResult:
    """Return the result of a job that has ended."""
    name = {"slurm_job": submitted.job_id}
    try:
        result: ProcessResult = submitted.result()
    except FailedJobError as error:  # our own code failed on the node
        log = str(error)[-LOG_TAIL_BYTES:]
        return ProcessResult(None, 1, None, log, environment=name)
    except UncompletedJobError:
        state = submitted.state
        log = (submitted.stderr() or "")[-LOG_TAIL_BYTES:]
        lost = f"Slurm job {submitted.job_id} ended without a result ({state.lower()})"
        stopped = STOPPED.get(state.split()[0], "lost")
        return ProcessResult(None, 1, stopped, log, environment=name, lost=(lost,))
    return replace(result, environment={**(result.environment or {}), **name})


def run_cell(folder: str, limits: Limits) -> ProcessResult:
    """Run the cell of a job's folder on this node, and return its result."""
    executor = LocalExecutor(spawn=needs_spawn())
    try:
        job = Job.from_json((Path(folder) / "job.json").read_text())
        *_, last = executor.updates(job, limits)
        assert last.result is not None
        return last.result
    finally:
        executor.close()
