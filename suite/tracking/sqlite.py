"""SQLite databases of MLflow: their paths, faster commits for the home's own, limited waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import Engine

from suite.api.errors import TrackingError

LOCK_SECONDS = 10
"""The longest wait for a database that another process has locked."""
USUAL_SECONDS = 1
"""The time for which another process may lock a database without a word: it writes a run."""
BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
SET_WAIT = "PRAGMA busy_timeout ="
"""The start of the statement with which MLflow sets a longer wait for each session."""
READ_SCHEMA = "SELECT * FROM sqlite_master"
"""Fails for a damaged database at once: MLflow would try again for minutes."""

_rebuildable: set[Path] = set()


def database_path(uri: str) -> Path | None:
    """Return the file of a tracking store in SQLite; None for another store."""
    if not uri.startswith("sqlite"):
        return None
    database = make_url(uri).database
    return Path(database) if database and database != ":memory:" else None


def skip_disk_sync(database: Path) -> None:
    """Stop SQLite from waiting for the disk at every commit to one database.

    A power failure can damage it: `bench sync --rebuild` must be able to write it again.
    """
    _rebuildable.add(database.resolve())


def is_open(database: Path) -> bool:
    """Return whether this process may hold connections to a database."""
    return database.resolve() in _rebuildable


def configure_connections() -> None:
    """Apply the settings of this module to the engines that MLflow creates."""
    # MLflow creates its engine itself, so the listeners are on the class.
    if not event.contains(Engine, "connect", _configure):
        event.listen(Engine, "connect", _configure)
        event.listen(Engine, "before_cursor_execute", _limit_wait, retval=True)


def wait_while_locked(database: Path, warn: Callable[[str], None]) -> None:
    """Wait until no other process has locked a database, at most `LOCK_SECONDS`.

    MLflow would try again for minutes, without a word.

    Raises:
        TrackingError: the database is still locked.
        sqlite3.Error: the database is damaged, or cannot be written.
    """
    if not database.exists():
        return
    address = f"{database.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        for seconds in (USUAL_SECONDS, LOCK_SECONDS - USUAL_SECONDS):
            connection.execute(f"{SET_WAIT} {1_000 * seconds}")
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in BUSY:
                    raise
                if seconds == USUAL_SECONDS:
                    warn(f"another process has locked {database}: waiting up to {LOCK_SECONDS} s")
            else:
                connection.execute("ROLLBACK")
                connection.execute(READ_SCHEMA).fetchall()
                return
    raise TrackingError(
        "Another process has locked the MLflow database",
        received=database,
        remedy="End that process, then run `bench sync` to write the waiting records",
    )


def _configure(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection) and _path_of(connection) in _rebuildable:
        connection.execute("PRAGMA synchronous=OFF")


def _limit_wait(*call: Any) -> tuple[str, Any]:
    """Return a statement and its parameters, with a shorter wait in place of MLflow's."""
    _, _, statement, parameters, *_ = call
    if statement.startswith(SET_WAIT):
        statement = f"{SET_WAIT} {1_000 * LOCK_SECONDS}"
    return statement, parameters


def _path_of(connection: sqlite3.Connection) -> Path | None:
    _, _, file = connection.execute("PRAGMA database_list").fetchone()
    return Path(file).resolve() if file else None
