"""Faster commits for the one SQLite database that can be rebuilt: the home's own mlflow.db."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_rebuildable: set[Path] = set()


def skip_disk_sync(database: Path) -> None:
    """Stop SQLite from waiting for the disk at every commit to one database.

    A power failure can damage such a database. Use this only for a database that
    `bench rebuild --tracking` can write again from the records.
    """
    _rebuildable.add(database.resolve())
    # MLflow creates its engine itself, so the listener is on the class and checks each connection.
    if not event.contains(Engine, "connect", _configure):
        event.listen(Engine, "connect", _configure)


def is_open(database: Path) -> bool:
    """Return whether this process may hold connections to a database."""
    return database.resolve() in _rebuildable


def _configure(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection) and _path_of(connection) in _rebuildable:
        connection.execute("PRAGMA synchronous=OFF")


def _path_of(connection: sqlite3.Connection) -> Path | None:
    """Return the file of a connection's main database; None for a database in memory."""
    _, _, file = connection.execute("PRAGMA database_list").fetchone()
    return Path(file).resolve() if file else None
