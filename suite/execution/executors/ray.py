"""Run cells on a Ray cluster, each in its own fresh process.

A cell is a Ray task that requests its threads as CPUs, and GPUs and memory if asked. On its node, a
`LocalExecutor` in Ray's worker starts and watches the process and returns its news. A cell is
therefore isolated, limited and measured as on one machine. Ray uploads the code with the job. Every
node needs the packages, and a user's files at the same path. Each node caches its encoded data.
"""

from __future__ import annotations

import getpass
import logging
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, TaskCancelledError

from suite.api import Job, Limits
from suite.api.errors import RequestError
from suite.api.files import CHECKOUT, IN_CHECKOUT
from suite.execution.executors.base import POLL_SECONDS, ProcessResult, Update
from suite.execution.executors.local import LocalExecutor
from suite.records.environment import needs_spawn

MAX_LOSSES = 3
"""The number of lost nodes after which a cell fails."""
CONNECT_SECONDS = 5.0
NOT_UPLOADED = [".venv*", ".*_cache", "results", "tests", "**/__pycache__"]


@dataclass
class _Task:
    job: Job
    limits: Limits
    news: Any
    losses: list[str] = field(default_factory=list)


class RayExecutor:
    """Runs cells on the nodes of a Ray cluster.

    `address` is the cluster's. None starts a cluster on this machine alone, which ends with the
    executor. Each cell requests `num_gpus` and `memory_bytes` in addition to its threads.

    Raises:
        RequestError: no cluster answers at the address, or the code is an installed wheel.
    """

    def __init__(
        self, address: str | None = None, num_gpus: float = 0, memory_bytes: int | None = None
    ) -> None:
        self._tasks: dict[str, _Task] = {}
        self._asks = {"num_gpus": num_gpus, "memory": memory_bytes or 0}
        if not IN_CHECKOUT:
            raise RequestError(
                "Ray uploads the code of a checkout to its nodes",
                received=f"an installed wheel in {CHECKOUT}",
                remedy="Run this command from a checkout",
            )
        runtime = {"working_dir": str(CHECKOUT), "excludes": NOT_UPLOADED}
        _check_address(address)
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            ray.init(
                address=address,
                runtime_env=runtime,
                log_to_driver=False,
                logging_level="error",
                configure_logging=False,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise RequestError(
                "No Ray cluster answers",
                received=f"{address}: {str(error).strip().splitlines()[0]}",
                remedy="Start one with `ray start --head`, or omit --address",
            ) from None

    def has_room(self) -> bool:
        """Whether a node may be free; one cell may wait for a node."""
        cpus = ray.cluster_resources().get("CPU", 0.0)
        taken = sum(task.job.cell.threads for task in self._tasks.values())
        return not self._tasks or taken <= cpus

    def start(self, run_id: str, job: Job, limits: Limits) -> None:
        self._check_resources(job)
        self._tasks[run_id] = _Task(job, limits, self._send(job, limits))

    def wait(self) -> list[Update]:
        if not self._tasks:
            return []
        by_news = {task.news: run_id for run_id, task in self._tasks.items()}
        ready, _ = ray.wait(list(by_news), num_returns=1, timeout=POLL_SECONDS)
        return [update for news in ready for update in self._hear(by_news[news])]

    def close(self) -> None:
        """Stop all running cells, and leave the cluster."""
        for task in self._tasks.values():
            ray.cancel(task.news, force=True)
        self._tasks.clear()
        ray.shutdown()

    def _send(self, job: Job, limits: Limits) -> Any:
        # The executor resubmits a lost task itself, so that the record can list the losses.
        options = {**self._asks, "num_cpus": job.cell.threads, "max_retries": 0}
        return _run_cell.options(**options).remote(job.to_json(), limits)

    def _hear(self, run_id: str) -> Iterator[Update]:
        task = self._tasks[run_id]
        try:
            news = ray.get(next(task.news))
        except StopIteration:
            yield from self._lose(run_id, "the task ended without a result")
        except RayTaskError as error:  # our own code failed on the node
            del self._tasks[run_id]
            yield Update(run_id, result=ProcessResult(None, 1, None, str(error)[-8_000:]))
        except (RayError, TaskCancelledError) as error:
            yield from self._lose(run_id, f"{type(error).__name__}")
        else:
            if news.result is None:
                yield replace(news, run_id=run_id)
                return
            del self._tasks[run_id]
            result = replace(news.result, lost=tuple(task.losses))
            yield Update(run_id, result=result)

    def _lose(self, run_id: str, how: str) -> Iterator[Update]:
        """Resubmit a cell after the loss of its node; after `MAX_LOSSES`, return a failure."""
        task = self._tasks[run_id]
        task.losses.append(how)
        if len(task.losses) < MAX_LOSSES:
            task.news = self._send(task.job, task.limits)
            return
        del self._tasks[run_id]
        yield Update(run_id, result=ProcessResult(None, 1, "lost", "", lost=tuple(task.losses)))

    def _check_resources(self, job: Job) -> None:
        """Refuse a cell that no node could ever run."""
        wanted = {"CPU": job.cell.threads, "GPU": self._asks["num_gpus"]}
        wanted["memory"] = self._asks["memory"]
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(
            all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes
        ):
            raise RequestError(
                "A cell requests more than any node of the Ray cluster has",
                received=", ".join(f"{name} {amount:g}" for name, amount in wanted.items()),
                remedy="Lower --threads, --gpus or --memory-limit",
            )


def _check_address(address: str | None) -> None:
    """Try to connect to a cluster before Ray does, because Ray would wait for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if not (colon and port.isdigit() and "/" not in host):
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RequestError(
            "No Ray cluster answers",
            received=f"{address}: {error}",
            remedy="Start one with `ray start --head`, or omit --address",
        ) from None


@cache
def _node_executor() -> LocalExecutor:
    """Return this node's executor; it and its fork servers live as long as Ray's worker."""
    return LocalExecutor(spawn=needs_spawn())


@ray.remote  # type: ignore[untyped-decorator]
def _run_cell(job_json: str, limits: Limits) -> Iterator[Update]:
    folder = Path(tempfile.mkdtemp(prefix="lengthwise-"))
    executor = _node_executor()
    try:
        job = _with_node_paths(Job.from_json(job_json), folder)
        yield from executor.updates(job, limits)
    finally:
        executor.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _with_node_paths(job: Job, folder: Path) -> Job:
    """Return the job with paths of this node; a checkpoint in a shared folder keeps its path."""
    own = Path(tempfile.gettempdir()) / f"lengthwise-{getpass.getuser()}"
    shared = job.checkpoint.parent.parent.is_dir()
    checkpoint = job.checkpoint if shared else own / "checkpoints" / job.checkpoint.name
    return replace(job, folder=folder, cache=own / "cache", checkpoint=checkpoint)
