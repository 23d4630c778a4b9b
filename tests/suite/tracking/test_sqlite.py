"""Connections, and SQLite: where the database lies, locks, damage, and commits without the disk."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy

from suite.api.errors import TrackingError
from suite.records.store import TRACKING, Store
from suite.tracking import sqlite
from suite.tracking.connection import connect, lock_writing, own_database, without_password
from suite.tracking.sync import planned_deletion, sync
from tests.builders.records import new_store
from tests.conftest import read_records
from tests.suite.tracking.helpers import good_record, runs_of_kind

OFF, FULL = 0, 2


def synchronous(uri: str) -> int:
    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            return connection.exec_driver_sql("PRAGMA synchronous").scalar()
    finally:
        engine.dispose()


def test_own_database_skips_disk_sync_and_a_users_database_does_not(store, tmp_path, monkeypatch):
    connect(store)
    users = f"sqlite:///{tmp_path / 'users.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", users)
    connect(store)
    assert synchronous(store.tracking_uri) == OFF
    assert synchronous(users) == FULL
    assert synchronous("sqlite://") == FULL  # in memory


def test_own_database_is_recognized_under_another_path(store, tmp_path):
    connect(store)
    (tmp_path / "link.db").symlink_to(own_database(store))
    assert synchronous(f"sqlite:///{tmp_path / 'link.db'}") == OFF


@pytest.mark.parametrize(
    "name", ["a?b#c%d", "a%20b", "two words", "é 数", "a@b:c", "[x]*", "a&b=c"]
)
def test_the_database_of_any_home_lies_inside_it(store, tmp_path, name):
    folder = tmp_path / "folder"
    home = new_store(folder / name / "home")
    record = good_record(128)
    home.write(record)
    assert sync(home).written == 1
    assert own_database(home).is_file()
    assert [path.name for path in folder.iterdir()] == [name]
    assert [path.name for path in (folder / name).iterdir()] == ["home"]
    (run,) = runs_of_kind(home.tracking_uri, "cell")
    (artifact,) = home.artifacts.rglob(f"{run.info.run_id}/**/record.json")
    assert artifact.read_text() == record.to_json()
    assert sync(home).written == 0
    assert str(own_database(home).name) in without_password(home.tracking_uri)
    with closing(sqlite3.connect(own_database(home))) as database:
        database.execute("DELETE FROM tags WHERE key = 'lengthwise.writer'")
        database.commit()
    assert planned_deletion(home).num_runs == 3


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


def test_a_locked_database_is_waited_for_and_said(store, monkeypatch):
    store.write(good_record(128))
    sync(store)
    monkeypatch.setattr(sqlite, "USUAL_SECONDS", 0.1)
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0.3)
    said: list[str] = []
    start = time.monotonic()
    with locked(own_database(store)), pytest.raises(TrackingError, match="has locked"):
        sync(Store(store.home, said.append))
    assert time.monotonic() - start < 5
    (message,) = said
    assert "mlflow.db: waiting up to" in message
    assert sync(Store(store.home, pytest.fail)).written == 0


def test_sessions_of_mlflow_wait_at_most_ten_seconds(store):
    connect(store)
    engine = sqlalchemy.create_engine(store.tracking_uri)
    with closing(engine.connect()) as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 20000;")
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
    engine.dispose()


def test_damaged_pages_are_an_error_before_mlflow_tries_again_and_again(store, monkeypatch):
    with closing(sqlite3.connect(own_database(store))) as database:
        database.executescript("".join(f"CREATE TABLE t{each} (name);" for each in range(99)))
    content = own_database(store).read_bytes()
    own_database(store).write_bytes(content[:4096] + b"x" * (len(content) - 4096))
    asked = "MLflow was asked, which tries again for minutes"
    monkeypatch.setattr("suite.tracking.client.Tracker", lambda *given: pytest.fail(asked))
    with pytest.raises(TrackingError, match=r"malformed.*`bench sync --rebuild`"):
        connect(store)


def damage_header(path: Path) -> None:
    path.write_bytes(b"no database" * 1_000)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 40 * 4096])


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        database.commit()


@pytest.mark.parametrize("change", [damage_header, truncate, make_newer])
def test_a_database_that_mlflow_cannot_use_is_rebuilt(store, bench, tmp_path, change):
    """Each command has a damaged copy of the home: MLflow has no connection to its database."""
    store.write(good_record(128))
    sync(store)
    first, home = tmp_path / "first", tmp_path / "second"
    for copy in (first, home):
        shutil.copytree(store.home, copy)
        change(copy / "mlflow.db")
    said = bench("sync", "--home", str(first))
    assert said.returncode == 2 and "Run `bench sync --rebuild`" in said.stderr
    assert "mlflow db upgrade" not in said.stderr and "Traceback" not in said.stderr
    rebuilt = bench("sync", "--rebuild", "--yes", "--home", str(home))
    assert rebuilt.returncode == 0 and "1 runs written" in rebuilt.stdout, rebuilt.stderr
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        assert database.execute("SELECT COUNT(*) FROM runs").fetchone() == (3,)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://ann:secret@127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql://ann:se:cret@db/mlflow", "postgresql://db/mlflow"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
    ],
)
def test_shown_address_has_no_password(uri, shown):
    assert without_password(uri) == shown


def test_lock_is_exclusive_and_released(store):
    with lock_writing(store), pytest.raises(TrackingError, match="Another process"):
        lock_writing(store, timeout_seconds=0.0).__enter__()
    lease = store.acquire(TRACKING)
    assert lease is not None
    lease.close()


def test_unreachable_server_costs_only_a_warning(bench, tmp_path):
    arguments = ("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty")
    uri = "http://ann:secret@127.0.0.1:9"
    result = bench(*arguments, MLFLOW_TRACKING_URI=uri)
    assert result.returncode == 0, result.stderr
    assert "`bench sync` delivers them later" in result.stderr
    assert "secret" not in result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].split() == ["MLflow", "UI", "http://127.0.0.1:9"]
    (record,) = read_records(tmp_path / "home")
    assert record["status"] == "ok"
