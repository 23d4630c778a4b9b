"""The choice of records by task and mode."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from suite.api import Mode
from suite.api.errors import unknown_name
from suite.records.schema import RecordSummary


def select_records(
    records: Iterable[RecordSummary],
    tasks: Collection[str] | None,
    mode: str | None,
    known_tasks: Collection[str],
) -> list[RecordSummary]:
    """Return the records of some tasks and of a mode; None selects all.

    Raises:
        RequestError: there is no task or mode of that name.
    """
    for name in tasks or ():
        if name not in known_tasks:
            raise unknown_name("task", name, known_tasks)
    if mode is not None and mode not in list(Mode):
        raise unknown_name("mode", mode, list(Mode))
    return [
        record
        for record in records
        if (tasks is None or record.cell.task in tasks) and mode in (None, record.cell.mode)
    ]
