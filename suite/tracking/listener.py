"""A session's listener that delivers each new record to MLflow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from suite.api import Status
from suite.execution.runner import Event, Finished, OnEvent, Started
from suite.records.schema import RecordError, parse_summary
from suite.records.store import Store
from suite.tracking.connection import is_own, own_database
from suite.tracking.delivery import SyncProcess

KEYS = """
SELECT tags.value FROM tags JOIN runs ON runs.run_uuid = tags.run_uuid
WHERE tags.key = 'lengthwise.key' AND runs.lifecycle_stage = 'active' AND runs.status != 'RUNNING'
"""
"""Finds the complete runs in an MLflow database."""
WITHOUT_RUN = frozenset({Status.UNSUPPORTED, Status.SKIPPED})
"""The statuses of records that have no run: their cells did not run."""


def may_lack_records(store: Store) -> bool:
    """Return whether MLflow may lack a record, as a store that is not the home's own always may."""
    files = dict(store.files())
    if not files or not is_own(store):
        return bool(files)
    try:
        address = f"{own_database(store).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as database:
            known = {key for (key,) in database.execute(KEYS)}
    except sqlite3.Error:  # missing, damaged or locked: connecting says why
        return True
    for run_id in files.keys() - known:
        with suppress(RecordError, OSError):
            if parse_summary(files[run_id].read_bytes()).status not in WITHOUT_RUN:
                return True
    return False


@contextmanager
def deliver_records(store: Store, warn: Callable[[str], None]) -> Iterator[OnEvent]:
    """Yield a listener; at the end, wait until MLflow has the records that it got.

    The helper process starts with the first cell that runs. If none runs, it starts at the end if
    MLflow may lack a record. `warn` is called with each failure; the
    records are safe, and `bench sync` delivers them later.
    """
    process = SyncProcess(store, lambda failure: warn(f"tracking: {failure}"))
    before_start: list[Path] = []
    started = False

    def listen(event: Event) -> None:
        nonlocal started
        if isinstance(event, Started) and not started:
            started = True
            process.start()
            for path in before_start:
                process.record_written(path)
        elif isinstance(event, Finished) and not event.reused:
            path = store.path_of(event.record)
            if started:
                process.record_written(path)
            else:
                before_start.append(path)

    try:
        yield listen
        if not started and may_lack_records(store):
            process.start()
    finally:
        if failure := process.finish():
            warn(f"MLflow is behind: {failure}")
            warn("the records are safe; `bench sync` delivers them later")
