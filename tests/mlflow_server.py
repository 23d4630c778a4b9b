"""A real MLflow server for tests, and a comparison of its runs with the records."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

from mlflow.tracking import MlflowClient

from suite.tracking.runs import STATUSES

START_SECONDS = 120


def free_port() -> int:
    """Return a port of 127.0.0.1 that no process uses now."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class MlflowServer:
    """A real MLflow server that a test can kill with all its workers, and start again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.uri = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        store = ["--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"]
        artifacts = ["--artifacts-destination", str(self.folder / "artifacts")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *arguments, *store, *artifacts],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def wait_until_it_answers(self) -> None:
        for _ in range(START_SECONDS):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                time.sleep(2.0)  # the port opens before the workers are ready
                return
            time.sleep(1.0)
        raise AssertionError("the MLflow server did not start")


def agrees_with_records(uri: str, records: list[dict], among_others: bool = False) -> bool:
    """Assert that MLflow has one run per record and invocation, with the right status.

    Args:
        uri: the MLflow store.
        records: the records of probes.
        among_others: ignore runs of other records.
    """
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("probe")
    runs = list(client.search_runs([experiment.experiment_id], max_results=5_000))
    invocations = {record["invocation"]["id"] for record in records}
    expected = {record["run_id"]: STATUSES[record["status"]] for record in records}
    if among_others:
        own = {*invocations, *expected}
        runs = [run for run in runs if run.data.tags["lengthwise.key"] in own]
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
    cells = [run for run in runs if run.data.tags["lengthwise.kind"] == "cell"]
    found = {run.data.tags["lengthwise.key"]: run.info.status for run in cells}
    assert len(found) == len(cells)  # no duplicates
    assert found == expected
    parents = [run for run in runs if run.data.tags["lengthwise.kind"] == "invocation"]
    assert sorted(run.data.tags["lengthwise.key"] for run in parents) == sorted(invocations)
    return True
