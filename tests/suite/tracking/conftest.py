"""Homes and MLflow stores for the tests of tracking."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.store.db import utils
from sqlalchemy import Engine

from suite.records.store import Store
from tests.builders.records import new_store


@pytest.fixture(scope="session", autouse=True)
def tables_are_copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let MLflow make the tables of the first database, and copy them to the others.

    MLflow runs all its migrations for each new database, which takes three seconds.
    """
    make, path = utils._initialize_tables, tmp_path_factory.mktemp("mlflow") / "tables.db"

    def make_or_copy(engine: Engine) -> None:
        is_first = not path.exists()
        if is_first:
            make(engine)
        with closing(sqlite3.connect(path)) as kept, closing(engine.raw_connection()) as raw:
            database = raw.driver_connection
            database.backup(kept) if is_first else kept.backup(database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_initialize_tables", make_or_copy)
        yield


@pytest.fixture(autouse=True)
def delivers(delivery: None) -> None:
    """Let runs deliver their records."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a home that tracks to its own database."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return new_store(tmp_path / "home")


@pytest.fixture
def shared_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of an MLflow store that does not belong to a home."""
    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    monkeypatch.chdir(tmp_path)  # MLflow keeps the files of such a store in the current folder
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri
