"""The choice of records by task and mode."""

from __future__ import annotations

from collections.abc import Callable, Collection

from suite.api import Mode
from suite.api.errors import unknown_name
from suite.records.schema import RecordSummary


def record_filter(
    tasks: Collection[str] | None,
    mode: str | None,
    known_tasks: Collection[str],
) -> Callable[[RecordSummary], bool]:
    """Return a function that says whether a record is of some tasks and of a mode; None means all.

    Raises:
        RequestError: there is no task or mode of that name.
    """
    for name in tasks or ():
        if name not in known_tasks:
            raise unknown_name("task", name, known_tasks)
    if mode is not None and mode not in list(Mode):
        raise unknown_name("mode", mode, list(Mode))
    return lambda record: (
        (tasks is None or record.cell.task in tasks) and mode in (None, record.cell.mode)
    )
