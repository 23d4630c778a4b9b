"""Writes all records of a home to MLflow: `bench sync` and `bench sync --rebuild`."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

from suite.api.errors import TrackingError
from suite.records.store import Store
from suite.tracking.connection import (
    connect,
    is_own,
    lock_writing,
    own_database,
    tracking_uri,
    without_password,
)

COUNT_RUNS = """
SELECT COUNT(*), COUNT(CASE WHEN COALESCE(writer.value, :identity) = :identity THEN tag.value END)
FROM runs
LEFT JOIN tags AS tag ON tag.run_uuid = runs.run_uuid AND tag.key = 'lengthwise.key'
LEFT JOIN tags AS writer ON writer.run_uuid = runs.run_uuid AND writer.key = 'lengthwise.writer'
WHERE runs.lifecycle_stage = 'active'
"""
"""Counts all runs, and those that the home wrote, in an MLflow database."""


DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
"""Error codes of a file that is no MLflow database; the last one means missing tables."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The result of a sync with the store at `uri`.

    `written` counts runs of cells, `unchanged` the records that needed no new run, and `duplicates`
    the deleted runs that another home wrote too. `rejected` says why MLflow rejected a record, by
    run id, or a run of another kind, by title. `num_models` is None if no models were asked for.
    """

    uri: str
    written: int
    unchanged: int
    length_runs: int
    duplicates: int
    rejected: Mapping[str, str]
    num_models: int | None = None

    def __str__(self) -> str:
        duplicates = f", {self.duplicates} duplicates deleted" if self.duplicates else ""
        skipped = f", {len(self.rejected)} skipped" if self.rejected else ""
        models = "" if self.num_models is None else f"\n{self.num_models} models logged"
        return (
            f"{self.uri}: {self.written} runs written, {self.unchanged} records unchanged, "
            f"{self.length_runs} length runs written{duplicates}{skipped}{models}"
        )


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a rebuild deletes: `num_runs` runs at `uri`.

    `whole` if the home's own database is removed as a file. `num_runs` is None if the database
    cannot be read.
    """

    uri: str
    num_runs: int | None
    whole: bool

    def __str__(self) -> str:
        """Describe the deletion for the user."""
        if self.num_runs is None:
            return f"{self.uri} is not a readable MLflow database and will be removed"
        runs = "1 run" if self.num_runs == 1 else f"{self.num_runs} runs"
        if self.whole:
            return f"{self.uri} will be removed with all its runs ({runs})"
        return f"{runs} that this home wrote will be deleted at {self.uri}; other runs stay"


def sync(
    store: Store,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    rebuild: bool = False,
) -> SyncReport:
    """Write the records that MLflow lacks. Skip those that it rejects.

    `on_progress` gets the numbers of records that are done, and of all. `rebuild` first deletes the
    runs that this home wrote (see `planned_deletion`).

    Raises:
        TrackingError: the MLflow store cannot be reached.
    """
    with lock_writing(store):
        if rebuild:
            _delete_own_runs(store)
        tracker = connect(store)
        records = store.all()
        written = 0
        for done, was_written in enumerate(tracker.log_all(records), start=1):
            written += was_written
            on_progress(done, len(records))
        num_length_runs = tracker.complete(store)
        duplicates = tracker.drop_duplicates()
    unchanged = sum(record.run_id not in tracker.rejected for record in records) - written
    uri = without_password(tracking_uri(store))
    return SyncReport(uri, written, unchanged, num_length_runs, duplicates, tracker.rejected)


def planned_deletion(store: Store) -> Deletion:
    """Return what a rebuild deletes; runs that others wrote stay.

    The home's own database is removed as a file if all its runs are the home's: this is fast, and
    works for a damaged database too.

    Raises:
        TrackingError: the store cannot be used.
    """
    from suite.tracking.sqlite import is_open, wait_while_locked

    uri = without_password(tracking_uri(store))
    if not is_own(store):
        return Deletion(uri, len(connect(store).own_runs()), whole=False)
    path = own_database(store)
    if not path.exists():
        return Deletion(uri, 0, whole=True)
    try:
        wait_while_locked(path, store.warn)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            parameters = {"identity": store.identity}
            total, own = database.execute(COUNT_RUNS, parameters).fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in DAMAGED:
            return Deletion(uri, None, whole=True)
        raise TrackingError("The MLflow store cannot be used", received=f"{uri}: {error}") from None
    if own == total and not is_open(path):
        return Deletion(uri, total, whole=True)
    try:
        return Deletion(uri, len(connect(store).own_runs()), whole=False)
    except TrackingError as error:
        raise TrackingError(
            f"{path} has runs that this home did not write, and MLflow cannot use it",
            received=error,
            remedy="Move the file away, then run `bench sync`",
        ) from None


def _delete_own_runs(store: Store) -> None:
    deletion = planned_deletion(store)
    store.mlflow_pages.unlink(missing_ok=True)
    if not deletion.whole:
        connect(store).clear()
        return
    for path in store.home.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(store.artifacts, ignore_errors=True)
