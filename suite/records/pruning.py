"""Selection of the records that `bench prune` deletes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from suite.api import PROTOCOL, Status
from suite.records.schema import Record
from suite.records.store import ReportUnreadable, Store, ignore_unreadable
from suite.records.validity import latest_runs


def prunable(
    store: Store,
    *,
    before: datetime | None = None,
    statuses: Collection[str] = (),
    old_protocols: bool = False,
    superseded: bool = False,
    report_unreadable: ReportUnreadable = ignore_unreadable,
) -> list[Record]:
    """Return the records that meet every condition that is set, oldest first.

    Args:
        store: the home.
        before: the record ended before this moment.
        statuses: the record has one of these statuses; empty for any.
        old_protocols: the record ran under another protocol than the current one.
        superseded: another record of the same cell stands. A good record is superseded by good ones
            alone.
        report_unreadable: receives each unreadable file.
    """
    records = store.all(report_unreadable)
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
