"""A real MLflow server for tests, and the question whether it says what the records say."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from mlflow.tracking import MlflowClient

from suite.tracking.runs import STATUSES


class MlflowServer:
    """A real MLflow server, killed with all its workers and started again."""

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
        for _ in range(60):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                time.sleep(2.0)  # the workers come after the door
                return
            time.sleep(1.0)
        raise AssertionError("the MLflow server did not start")


def agrees_with_records(uri: str, records: list[dict], among_others: bool = False) -> bool:
    """Compare MLflow's runs with the records, one by one; others' may be there if that is said."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("probe")
    runs = list(client.search_runs([experiment.experiment_id], max_results=5_000))
    invocations = {record["invocation"]["id"] for record in records}
    wanted = {record["run_id"]: STATUSES[record["status"]] for record in records}
    if among_others:
        ours = {*invocations, *wanted}
        runs = [run for run in runs if run.data.tags["lengthwise.key"] in ours]
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
    cells = [run for run in runs if run.data.tags["lengthwise.kind"] == "cell"]
    found = {run.data.tags["lengthwise.key"]: run.info.status for run in cells}
    assert len(found) == len(cells)  # none twice
    assert found == wanted
    parents = [run for run in runs if run.data.tags["lengthwise.kind"] == "invocation"]
    assert sorted(run.data.tags["lengthwise.key"] for run in parents) == sorted(invocations)
    return True
