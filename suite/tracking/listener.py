"""A session's listener that delivers each new record to MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.execution.runner import Event, Finished, OnEvent, Started
from suite.records.store import Store
from suite.tracking.delivery import SyncProcess
from suite.tracking.missing import may_lack_records


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
