"""Failures of the MLflow server: no cell waits long, and `bench sync` delivers every record."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, suppress
from datetime import datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import BENCH, FAKES, bench_environment, read_records
from tests.mlflow_server import MlflowServer, agrees_with_records, free_port

pytestmark = pytest.mark.slow
SERVER_PORT, PROXY_PORT = free_port(), free_port()
NUM_CELLS = 4
LONGEST_WAIT_SECONDS = 1.0
RUNNER_SECONDS = 1.0
"""The runner's own time between two cells, on a busy machine."""


class Proxy(BaseHTTPRequestHandler):
    """Forwards requests to the server, or fails as `failure` says."""

    failure = "none"

    def log_message(self, *words):
        pass

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.failure == "slow":
            time.sleep(5.0)
        if self.failure in ("500", "429"):
            self.send_error(int(self.failure))
            return
        if self.failure == "hangs up":
            self.connection.close()
            return
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        with closing(HTTPConnection("127.0.0.1", SERVER_PORT, timeout=60)) as connection:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        with suppress(ConnectionError):  # the client may have timed out
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"), SERVER_PORT)
    proxy = ThreadingHTTPServer(("127.0.0.1", PROXY_PORT), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    server.start()
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        server.kill()
        proxy.shutdown()
        proxy.server_close()


def run(environment, rounds=NUM_CELLS):
    words = ("--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty")
    words += ("--rounds", str(rounds))
    return subprocess.run(
        [str(BENCH), "run", *words, "--no-dashboard"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def environment_of(tmp_path, **more):
    home = {"BENCH_HOME": str(tmp_path / "home"), "BENCH_PATH": str(FAKES)}
    return bench_environment({**home, **more})


def sync(environment):
    words = [str(BENCH), "sync"]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr


def waits(records):
    """Return the seconds between the end of each cell and the start of the next."""
    times = [
        (datetime.fromisoformat(record["started_at"]), datetime.fromisoformat(record["ended_at"]))
        for record in records
    ]
    pairs = itertools.pairwise(times)
    return [(after[0] - before[1]).total_seconds() for before, after in pairs]


@pytest.mark.parametrize("failure", ["500", "429", "hangs up", "slow"])
def test_cells_do_not_wait_for_a_failing_server(server, tmp_path, failure):
    environment = environment_of(tmp_path, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{PROXY_PORT}")
    Proxy.failure = failure
    ended = run(environment)
    assert ended.returncode == 0, ended.stderr
    records = read_records(tmp_path / "home")
    assert len(records) == NUM_CELLS
    assert max(waits(records)) <= LONGEST_WAIT_SECONDS + RUNNER_SECONDS
    assert "`bench sync` delivers them later" in ended.stderr
    Proxy.failure = "none"
    for _ in range(2):
        sync(environment)
    assert agrees_with_records(server.uri, records, among_others=True)


def test_cells_do_not_wait_for_a_killed_server(server, tmp_path):
    environment = environment_of(tmp_path, MLFLOW_TRACKING_URI=server.uri)
    killer = threading.Thread(target=_kill_after_first_record, args=(server, tmp_path / "home"))
    killer.start()
    ended = run(environment)
    killer.join()
    assert ended.returncode == 0
    records = read_records(tmp_path / "home")
    assert len(records) == NUM_CELLS
    assert max(waits(records)) <= LONGEST_WAIT_SECONDS + RUNNER_SECONDS
    server.start()
    server.wait_until_it_answers()
    sync(environment)
    assert agrees_with_records(server.uri, records, among_others=True)


def _kill_after_first_record(server, home):
    while not list((home / "records").glob("*.json")):
        time.sleep(0.05)
    server.kill()


def test_cells_do_not_wait_for_a_locked_database(tmp_path):
    environment = environment_of(tmp_path)
    assert run(environment).returncode == 0  # creates the database
    lock = sqlite3.connect(tmp_path / "home" / "mlflow.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    ended = run(environment, rounds=2 * NUM_CELLS)
    assert ended.returncode == 0
    records = read_records(tmp_path / "home")
    assert len(records) == 2 * NUM_CELLS
    assert max(waits(records[NUM_CELLS:])) <= LONGEST_WAIT_SECONDS + RUNNER_SECONDS
    assert "`bench sync` delivers them later" in ended.stderr
    lock.execute("ROLLBACK")
    lock.close()
    sync(environment)
    assert agrees_with_records(f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}", records)
