"""The MLflow store of a home: its address, the connection, and the lock on writing.

Importing this module does not import mlflow, which takes seconds.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from suite.api.errors import TrackingError
from suite.records.store import TRACKING, Store
from suite.tracking.uri import without_password

if TYPE_CHECKING:
    from suite.tracking.client import Tracker

URI_VARIABLE = "MLFLOW_TRACKING_URI"
POLL_SECONDS = 0.05

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

    Raises:
        TrackingError: the MLflow store cannot be reached.
    """
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    from suite.tracking.client import Tracker
    from suite.tracking.sqlite_durability import skip_disk_sync

    uri = tracking_uri(store)
    own = is_own(store)
    if own:
        skip_disk_sync(own_database(store))
    try:
        tracker = Tracker(uri, store.identity, store.artifacts if own else None)
        tracker.connect()
    except TrackingError:
        raise
    except Exception as error:  # MLflow passes on the errors of its database driver
        shown = without_password(uri)
        message = f"{type(error).__name__}: {error}".replace(uri, shown)
        raise TrackingError(
            "The MLflow store cannot be used", received=f"{shown}: {message}"
        ) from None
    return tracker


@contextlib.contextmanager
def lock_writing(store: Store, timeout_seconds: float = math.inf) -> Iterator[None]:
    """Hold this home's lock on writing to the MLflow store.

    Raises:
        TrackingError: another process still holds the lock after the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    while (lease := store.acquire(TRACKING)) is None:
        if time.monotonic() >= deadline:
            raise TrackingError("Another process is writing this home's records to MLflow")
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        lease.close()
