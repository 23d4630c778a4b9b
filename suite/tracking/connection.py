"""The MLflow store of a home: its address, the connection, the lock on writing, and its server.

Importing this module does not import mlflow, which takes seconds.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from suite.api.errors import TrackingError
from suite.api.files import atomic_write_bytes
from suite.records.store import TRACKING, Store

if TYPE_CHECKING:
    from suite.tracking.client import Tracker


URI_VARIABLE = "MLFLOW_TRACKING_URI"
POLL_SECONDS = 0.05
LOCK_SECONDS = 10.0
"""The longest wait for another process that writes the home's records to MLflow."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Environment variables for MLflow: no telemetry, short timeouts, no output of its own."""


def tracking_uri(store: Store) -> str:
    """Return the value of MLFLOW_TRACKING_URI, or the home's own SQLite database if it is unset."""
    return os.environ.get(URI_VARIABLE) or store.tracking_uri


def is_own(store: Store) -> bool:
    """Return whether the home tracks to its own database."""
    return tracking_uri(store) == store.tracking_uri


def own_database(store: Store) -> Path:
    """Return the path of the home's own database."""
    return store.home / "mlflow.db"


def connect(store: Store) -> Tracker:
    """Return a tracker for a home. Imports mlflow.

    The home warns before a wait for a locked database, which takes at most 10 s.

    Raises:
        TrackingError: the MLflow store cannot be used.
    """
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    from suite.tracking import sqlite
    from suite.tracking.client import Tracker
    from suite.tracking.failures import unusable

    uri, own = tracking_uri(store), is_own(store)
    sqlite.configure_connections()
    if own:
        sqlite.skip_disk_sync(own_database(store))
    try:
        if database := sqlite.database_path(uri):
            sqlite.wait_while_locked(database, store.warn)
        tracker = Tracker(uri, store.identity, store.artifacts if own else None)
        tracker.connect()
    except TrackingError:
        raise
    except Exception as error:  # MLflow passes on the errors of its database driver
        raise unusable(error, uri, own=own) from None
    return tracker


@contextlib.contextmanager
def lock_writing(store: Store, timeout_seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold this home's lock on writing to the MLflow store.

    Raises:
        TrackingError: another process still holds the lock after the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    others = "Another process is writing this home's records to MLflow"
    is_said = False
    while (lease := store.acquire(TRACKING)) is None:
        if time.monotonic() >= deadline:
            raise TrackingError(
                others, received=store.home, remedy="Repeat the command when it has ended"
            )
        if not is_said:
            store.warn(f"{others[0].lower()}{others[1:]}: waiting up to {timeout_seconds:g} s")
        is_said = True
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        lease.close()


def without_password(uri: str) -> str:
    """Return the URI of a tracking store without its user name and password."""
    return re.sub(r"(?<=://)[^/@]*@", "", uri)


@dataclass(frozen=True, slots=True)
class MlflowProcess:
    """A server of MLflow that has not started yet.

    Secrets belong in the environment: all users of a machine can read the arguments of a process.
    """

    address: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    def replace_this_process(self) -> NoReturn:
        """Become the server. Ctrl-C and the exit status are then the server's."""
        command = [sys.executable, "-m", "mlflow", "server", *self.arguments]
        sys.stdout.flush()
        os.execve(sys.executable, command, {**os.environ, **QUIET, **self.environment})  # noqa: S606


UI_ADDRESS = "http://127.0.0.1:5000"
"""The default address of `bench ui`."""


Page = Annotated[str, Field(pattern=r"^#/experiments/[^/]+/.")]


class MlflowPages(BaseModel):
    """Pages of the MLflow UI, relative to its address `at`: of runs by id, experiments by name."""

    model_config = ConfigDict(frozen=True)

    at: str
    runs: Mapping[str, Page] = {}
    experiments: Mapping[str, Page] = {}


def read_pages(store: Store) -> MlflowPages:
    """Return the known pages of the MLflow store in use; none before the first sync.

    A damaged file counts as none: the next sync writes it again.
    """
    uri = tracking_uri(store)
    at = without_password(uri).rstrip("/") if uri.startswith("http") else UI_ADDRESS
    with suppress(FileNotFoundError, ValueError):  # pydantic's error is a ValueError
        saved = MlflowPages.model_validate_json(store.mlflow_pages.read_bytes())
        if saved.at == at:
            return saved
    return MlflowPages(at=at)


def save_pages(store: Store, runs: Mapping[str, str], experiments: Mapping[str, str]) -> None:
    """Add pages of runs, by key, and of experiments, by name, to the home's file."""
    known = read_pages(store)
    pages = MlflowPages(
        at=known.at,
        runs={**known.runs, **runs},
        experiments={**known.experiments, **experiments},
    )
    atomic_write_bytes(store.mlflow_pages, pages.model_dump_json().encode())
