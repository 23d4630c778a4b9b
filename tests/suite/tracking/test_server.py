"""`bench server`: configuration, and a real server with user accounts on PostgreSQL.

The tests start PostgreSQL themselves, and skip if it is not installed.
"""

from __future__ import annotations

import configparser
import getpass
import os
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from suite.api.errors import RequestError
from suite.tracking.server import prepare_server
from tests.builders.records import new_store
from tests.conftest import BENCH, bench_environment
from tests.mlflow_server import free_port
from tests.suite.tracking.helpers import good_record, runs_at

slow = pytest.mark.slow
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
DATABASE_PORT, PORT = free_port(), free_port()
PASSWORD = secrets.token_hex(12)
USERS = {"ann": secrets.token_hex(12), "ben": secrets.token_hex(12)}


def as_postgres(*words: str) -> list[str]:
    """Return a command that does not run as root, which PostgreSQL refuses."""
    return ["runuser", "-u", "postgres", "--", *words] if getpass.getuser() == "root" else [*words]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed (`make system-packages`)")
    pytest.importorskip("psycopg")
    pytest.importorskip("flask_wtf")
    folder = Path("/tmp") / f"lengthwise-postgres-{os.getpid()}"
    folder.mkdir(mode=0o700)
    if getpass.getuser() == "root":
        shutil.chown(folder, "postgres", "postgres")
    data, password_file = folder / "data", tmp_path_factory.mktemp("secret") / "password"
    password_file.parent.chmod(0o755)
    for parent in password_file.parents[:4]:
        with suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o055)
    password_file.write_text(PASSWORD)
    options = ["-U", "mlflow", "-A", "scram-sha-256", f"--pwfile={password_file}"]
    binaries = BINARIES[-1]
    subprocess.run(
        as_postgres(str(binaries / "initdb"), "-D", str(data), *options),
        check=True,
        capture_output=True,
        cwd="/",
    )
    settings = f"-p {DATABASE_PORT} -h 127.0.0.1 -k {folder}"
    control = as_postgres(str(binaries / "pg_ctl"), "-D", str(data), "-w")
    log = str(folder / "log")
    subprocess.run([*control, "-l", log, "-o", settings, "start"], check=True, cwd="/")
    try:
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        where = ["-h", "127.0.0.1", "-p", str(DATABASE_PORT), "-U", "mlflow"]
        create = [str(binaries / "createdb"), *where, "mlflow"]
        subprocess.run(create, check=True, env=environment)
        yield f"postgresql://mlflow@127.0.0.1:{DATABASE_PORT}/mlflow"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, cwd="/")
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server(database, tmp_path_factory):
    """Start `bench server`, create the users, and yield the server's home."""
    home = tmp_path_factory.mktemp("server")
    log = open(home / "log.txt", "wb")  # noqa: SIM115
    process = subprocess.Popen(
        [str(BENCH), "server", "--port", str(PORT), "--workers", "2"],
        env=bench_environment(
            {
                "BENCH_HOME": str(home),
                "LENGTHWISE_DATABASE_URI": database,
                "PGPASSWORD": PASSWORD,
                "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
            }
        ),
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait_until_it_answers(process, home)
        for name, password in USERS.items():
            created = requests.post(
                f"http://127.0.0.1:{PORT}/api/2.0/mlflow/users/create",
                json={"username": name, "password": password},
                auth=("admin", PASSWORD),
                timeout=30,
            )
            assert created.ok, created.text
        yield home
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def _wait_until_it_answers(process: subprocess.Popen, home: Path) -> None:
    for _ in range(120):
        with suppress(requests.RequestException):
            requests.get(f"http://127.0.0.1:{PORT}/health", timeout=2)
            return
        assert process.poll() is None, (home / "log.txt").read_text()
        time.sleep(1.0)
    raise AssertionError("the server did not start")


def environment_of(user: str, home: Path, password: str | None = None) -> dict[str, str]:
    return bench_environment(
        {
            "BENCH_HOME": str(home),
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{PORT}",
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": password or USERS[user],
        }
    )


def sync(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = [str(BENCH), "sync"]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600)


def runs(monkeypatch) -> list:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    return runs_at(f"http://127.0.0.1:{PORT}")


def fill(home: Path, count: int, first_seed: int) -> list:
    store = new_store(home)
    records = [good_record(128, seed=first_seed + i, minutes=i) for i in range(count)]
    for record in records:
        store.write(record)
    return records


@slow
def test_two_users_sync_at_once_and_one_is_killed(server, tmp_path, monkeypatch):
    homes = {name: tmp_path / name for name in USERS}
    records = {name: fill(homes[name], 60, 100 * i) for i, name in enumerate(USERS)}
    shared = good_record(256, minutes=500)
    for home in homes.values():
        new_store(home).write(shared)
    both = [
        subprocess.Popen([str(BENCH), "sync"], env=environment_of(name, home))
        for name, home in homes.items()
    ]
    time.sleep(14)  # importing mlflow takes about 8 s
    both[0].kill()
    for process in both:
        process.wait(timeout=300)
    began = time.monotonic()
    for name, home in homes.items():
        ended = sync(environment_of(name, home))
        assert ended.returncode == 0, ended.stderr
    print(f"both synced again in {time.monotonic() - began:.1f} s")
    found = runs(monkeypatch)
    assert {run.info.status for run in found} == {"FINISHED"}
    keys = sorted(
        run.data.tags["lengthwise.key"]
        for run in found
        if run.data.tags["lengthwise.kind"] == "cell"
    )
    expected = [record.run_id for name in USERS for record in records[name]]
    assert keys == sorted([*expected, shared.run_id])
    again = sync(environment_of("ann", homes["ann"]))
    assert "0 runs written" in again.stdout


@slow
def test_wrong_password_is_an_error_of_one_line(server, tmp_path):
    fill(tmp_path, 1, 5_000)
    ended = sync(environment_of("ann", tmp_path, password="wrong-secret"))
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "wrong-secret" not in ended.stderr


@slow
def test_passwords_are_in_no_output_record_run_or_argument(server, tmp_path, monkeypatch):
    environment = environment_of("ann", tmp_path)
    words = ("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "bert")
    ended = subprocess.run(
        [str(BENCH), *words], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    hidden = {PASSWORD, *USERS.values()}
    texts = [ended.stdout, ended.stderr]
    texts += [path.read_text() for path in (tmp_path / "records").iterdir()]
    texts += [str(run.data.tags) + str(run.data.params) for run in runs(monkeypatch)]
    texts += [(server / "log.txt").read_text(), (server / "server" / "auth.ini").read_text()]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            texts.append((process / "cmdline").read_bytes().decode(errors="replace"))
    assert not [secret for secret in hidden for text in texts if secret in text]
    for path in (server / "server" / "auth.ini", server / "server" / "secret"):
        assert path.stat().st_mode & 0o077 == 0


@pytest.fixture
def extra(monkeypatch):
    """Let the extra `server` seem installed."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())


def test_first_start_needs_a_password(store, extra, monkeypatch):
    monkeypatch.delenv("MLFLOW_AUTH_ADMIN_PASSWORD", raising=False)
    with pytest.raises(RequestError, match="MLFLOW_AUTH_ADMIN_PASSWORD is not set"):
        prepare_server(store, "127.0.0.1", 5000, 4)


def test_missing_extra_is_named(store, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("LENGTHWISE_DATABASE_URI", "postgresql://ann@db/mlflow")
    with pytest.raises(RequestError, match="no package flask_wtf, psycopg"):
        prepare_server(store, "127.0.0.1", 5000, 4)


def test_configuration_is_private_and_kept_between_starts(store, extra, monkeypatch):
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setenv("LENGTHWISE_DATABASE_URI", "postgresql://ann:secret@db/mlflow")
    first = prepare_server(store, "127.0.0.1", 5000, 4)
    monkeypatch.delenv("MLFLOW_AUTH_ADMIN_PASSWORD")
    second = prepare_server(store, "127.0.0.1", 5000, 4)
    assert first == second
    arguments = " ".join(first.arguments)
    assert "secret" not in arguments and PASSWORD not in arguments
    folder = store.home / "server"
    assert folder.stat().st_mode & 0o077 == 0
    for name in ("auth.ini", "secret"):
        assert (folder / name).stat().st_mode & 0o077 == 0
    assert PASSWORD not in (folder / "auth.ini").read_text()


@pytest.mark.parametrize("uri", ["", "postgresql://ann:p%40ss@db/mlflow"])
def test_mlflow_reads_any_address_of_a_database(tmp_path, extra, monkeypatch, uri):
    """MLflow reads the file with interpolation, where % begins a reference."""
    store = new_store(tmp_path / "100% of a?b")
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setenv("LENGTHWISE_DATABASE_URI", uri)
    prepare_server(store, "127.0.0.1", 5000, 4)
    settings = configparser.ConfigParser()
    settings.read(store.home / "server" / "auth.ini")
    path = str(store.home / "server" / "mlflow.db").replace("%", "%25").replace("?", "%3F")
    assert settings["mlflow"]["database_uri"] == (uri or f"sqlite+pysqlite:///{path}")
