"""Records that the home's own database lacks, found without mlflow."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress

from suite.api import Status
from suite.records.schema import RecordError, parse_summary
from suite.records.store import Store
from suite.tracking.connection import is_own, own_database

KEYS = """
SELECT tags.value FROM tags JOIN runs ON runs.run_uuid = tags.run_uuid
WHERE tags.key = 'lengthwise.key' AND runs.lifecycle_stage = 'active' AND runs.status != 'RUNNING'
"""
"""Finds the complete runs in an MLflow database."""
WITHOUT_RUN = frozenset({Status.UNSUPPORTED, Status.SKIPPED})
"""The statuses of records that have no run: their cells did not run."""


def may_lack_records(store: Store) -> bool:
    """Return whether MLflow may lack a record. Of another store than the home's own, it may."""
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
        with suppress(RecordError, FileNotFoundError):
            if parse_summary(files[run_id].read_bytes()).status not in WITHOUT_RUN:
                return True
    return False
