"""Delete records, checkpoints and kept weights of a home."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from suite.actions.request import Names, PathLike, make_store, names_of
from suite.api import PROTOCOL, Status
from suite.api.errors import RequestError
from suite.matrix.plan import check_statuses
from suite.records.schema import Record, utc_now
from suite.records.store import Store
from suite.records.validity import latest_runs
from suite.records.weights import num_bytes, superseded_weights, weights_folders


@dataclass(frozen=True, slots=True)
class Pruned:
    """The deleted records, checkpoints and models. The weights of the models took `num_bytes`."""

    records: Sequence[Record]
    num_checkpoints: int
    num_models: int
    num_bytes: int


def prune(
    *,
    home: PathLike | None = None,
    older_than: float | None = None,
    status: Names | None = None,
    old_protocols: bool = False,
    superseded: bool = False,
    weights: str | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Delete the records of a home that meet every given condition, and return what was deleted.

    `older_than` is in days, and also deletes checkpoints of that age. `weights` deletes kept
    weights: "all" of them, or those that are "superseded". `dry_run` deletes nothing.

    Raises:
        RequestError: there is no condition, or a status is unknown.
    """
    of_records = older_than is not None or status is not None or old_protocols or superseded
    if not of_records and weights is None:
        raise RequestError(
            "At least one condition is needed",
            received="none",
            remedy="Give --older-than, --status, --old-protocols, --superseded or --weights",
        )
    statuses = check_statuses(() if status is None else names_of("status", status))
    store = make_store(home)
    store.prepare()
    before = utc_now() - timedelta(days=older_than) if older_than is not None else None
    records: list[Record] = []
    if of_records:
        records = prunable(
            store,
            before=before,
            statuses=statuses,
            old_protocols=old_protocols,
            superseded=superseded,
        )
    checkpoints = store.checkpoints(before) if before else []
    folders: list[Path] = []
    if weights == "all":
        folders = weights_folders(store)
    elif weights is not None:  # the superseded ones still have their records
        folders = superseded_weights(store)
    pruned = Pruned(records, len(checkpoints), len(folders), num_bytes(folders))
    if not dry_run:
        for path in [*map(store.path_of, records), *checkpoints]:
            path.unlink(missing_ok=True)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    return pruned


def prunable(
    store: Store,
    *,
    before: datetime | None = None,
    statuses: Collection[str] = (),
    old_protocols: bool = False,
    superseded: bool = False,
) -> list[Record]:
    """Return the records that meet every condition that is set, oldest first.

    `before` is compared with the end of a run, and `statuses` are empty for any status. A record is
    superseded if another of its cell is valid; only a good record supersedes a good one.
    """
    records = store.all()
    good = [record for record in records if record.status is Status.OK]
    valid = {record.run_id for record in [*latest_runs(records), *latest_runs(good)]}
    return [
        record
        for record in records
        if (before is None or record.ended_at < before)
        and (not statuses or record.status in statuses)
        and not (old_protocols and record.protocol == PROTOCOL)
        and not (superseded and record.run_id in valid)
    ]
