"""SQLite waits for the disk at every commit, except to the home's own database."""

from __future__ import annotations

import sqlalchemy

from suite.tracking.connection import connect, own_database

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
