"""Runs cells on a Ray cluster: scheduled by what they ask for, each still in its own fresh process.

A cell is a Ray task that asks for its threads as CPUs, and for GPUs and memory where told. On the
node that gets it, a `LocalExecutor` of that node's worker starts the process, watches it and hands
its news back; so a cell is isolated, limited and measured as on one machine. The code travels with
the job; the packages must be installed on every node, and a user's files be there at the same path.
Encoded data is kept on each node.
"""

from __future__ import annotations

import getpass
import logging
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, TaskCancelledError

from suite.api import Job, Limits
from suite.api.errors import RequestError
from suite.api.files import CHECKOUT
from suite.execution.executors.base import POLL_SECONDS, ProcessResult, Update
from suite.execution.executors.local import LocalExecutor
from suite.records.environment import describe_machine, needs_spawn

MAX_LOSSES = 3
"""How often a cell is run elsewhere before it is given up."""
PATIENCE_SECONDS = 5.0
NOT_UPLOADED = [".venv*", ".*_cache", "results", "tests", "**/__pycache__"]


@dataclass
class _Task:
    """A cell on its way: what it needs to be sent again, and the nodes that were lost with it."""

    job: Job
    limits: Limits
    news: Any
    losses: list[str] = field(default_factory=list)


class RayExecutor:
    """Runs cells wherever a Ray cluster has room.

    `address` is a cluster's, or None for one of this machine alone that ends with the executor.
    `num_gpus` and `memory_bytes` are what each cell asks for beside its threads.

    Raises:
        RequestError: no cluster answers at the address, or none of its nodes has what a cell asks.
    """

    def __init__(
        self, address: str | None = None, num_gpus: float = 0, memory_bytes: int | None = None
    ) -> None:
        self._tasks: dict[str, _Task] = {}
        self._asks = {"num_gpus": num_gpus, "memory": memory_bytes or 0}
        runtime = {"working_dir": str(CHECKOUT), "excludes": NOT_UPLOADED}
        _refuse_if_nobody_answers(address)
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
                remedy="Start one with `ray start --head`, or leave --address out",
            ) from None

    def has_room(self) -> bool:
        """Whether a node may be free, counting one cell that waits."""
        cpus = ray.cluster_resources().get("CPU", 0.0)
        taken = sum(task.job.cell.threads for task in self._tasks.values())
        return not self._tasks or taken <= cpus

    def start(self, run_id: str, job: Job, limits: Limits) -> None:
        """Send a cell on its way."""
        self._refuse_if_nobody_has_it(job)
        self._tasks[run_id] = _Task(job, limits, self._send(job, limits))

    def wait(self) -> list[Update]:
        """Wait until there is news or a moment has passed, and return what is new."""
        if not self._tasks:
            return []
        by_news = {task.news: run_id for run_id, task in self._tasks.items()}
        ready, _ = ray.wait(list(by_news), num_returns=1, timeout=POLL_SECONDS)
        return [update for news in ready for update in self._hear(by_news[news])]

    def close(self) -> None:
        """Stop what still runs, and leave the cluster."""
        for task in self._tasks.values():
            ray.cancel(task.news, force=True)
        self._tasks.clear()
        ray.shutdown()

    def _send(self, job: Job, limits: Limits) -> Any:
        # A task that is lost is sent again from here, so that the record can say so.
        options = {**self._asks, "num_cpus": job.cell.threads, "max_retries": 0}
        return _run_cell.options(**options).remote(job.to_json(), limits)

    def _hear(self, run_id: str) -> Iterator[Update]:
        task = self._tasks[run_id]
        try:
            news = ray.get(next(task.news))
        except StopIteration:
            yield from self._lose(run_id, "it ended without a word")
        except RayTaskError as error:  # our own code failed there
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
        """Send a cell elsewhere whose node is lost, or give it up."""
        task = self._tasks[run_id]
        task.losses.append(how)
        if len(task.losses) < MAX_LOSSES:
            task.news = self._send(task.job, task.limits)
            return
        del self._tasks[run_id]
        yield Update(run_id, result=ProcessResult(None, 1, "lost", "", lost=tuple(task.losses)))

    def _refuse_if_nobody_has_it(self, job: Job) -> None:
        """Refuse a cell that would wait for ever.

        Raises:
            RequestError: no node has that many CPUs or GPUs, or that much memory.
        """
        wanted = {"CPU": job.cell.threads, "GPU": self._asks["num_gpus"]}
        wanted["memory"] = self._asks["memory"]
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(
            all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes
        ):
            raise RequestError(
                "A cell asks for more than any node of the Ray cluster has",
                received=", ".join(f"{name} {amount:g}" for name, amount in wanted.items()),
                remedy="Ask for less: --threads, --gpus, --memory-limit",
            )


def _refuse_if_nobody_answers(address: str | None) -> None:
    """Knock at a cluster's door first: Ray itself would wait for minutes.

    Raises:
        RequestError: nobody answers.
    """
    host, colon, port = (address or "").rpartition(":")
    if not (colon and port.isdigit() and "/" not in host):
        return
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RequestError(
            "No Ray cluster answers",
            received=f"{address}: {error}",
            remedy="Start one with `ray start --head`, or leave --address out",
        ) from None


@cache
def _executor_here() -> LocalExecutor:
    """Return this node's executor: it lives as long as Ray's worker, and its forkserver with it."""
    return LocalExecutor(spawn=needs_spawn())


@ray.remote  # type: ignore[untyped-decorator]
def _run_cell(job_json: str, limits: Limits) -> Iterator[Update]:
    """Run a cell on this node, and yield its news."""
    folder = Path(tempfile.mkdtemp(prefix="lengthwise-"))
    executor = _executor_here()
    try:
        executor.start("", _at_home_here(Job.from_json(job_json), folder), limits)
        while executor.running:
            for update in executor.wait():
                if update.result:
                    here: Mapping[str, Any] = describe_machine()
                    update = replace(update, result=replace(update.result, environment=here))
                yield update
    finally:
        executor.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _at_home_here(job: Job, folder: Path) -> Job:
    """Return the job with this node's own paths; a checkpoint stays where all see it."""
    own = Path(tempfile.gettempdir()) / f"lengthwise-{getpass.getuser()}"
    shared = job.checkpoint.parent.parent.is_dir()
    checkpoint = job.checkpoint if shared else own / "checkpoints" / job.checkpoint.name
    return replace(job, folder=folder, cache=own / "cache", checkpoint=checkpoint)
