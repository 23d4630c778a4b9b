"""Delivers records to MLflow during a run, from a helper process.

The helper starts with the run. The parent does not import mlflow. The helper delivers the record of
a cell while the next cell starts, which measures nothing yet. The record after it waits for a slow
server, at most `CELL_DEADLINE_SECONDS`. If a server does not answer, records wait. The helper tries
again after growing pauses, and once more at the end. Then it delivers what MLflow lacks of earlier
commands, as after the loss of a database. `bench sync` delivers the rest.

The protocol is lines: a record's path, or `FINISH`, to the helper; a JSON object back. One process
per home writes at a time (`lock_writing`), so no other process is still writing an incomplete run
of this home.
"""

from __future__ import annotations

import json
import math
import os
import queue
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from suite.api import Status
from suite.api.errors import TrackingError
from suite.execution.runner import Event, Finished, OnEvent, Started
from suite.records.schema import RecordError, parse_record, parse_summary
from suite.records.store import Store
from suite.tracking.connection import connect, is_own, lock_writing, own_database

if TYPE_CHECKING:
    from suite.tracking.client import Tracker


CELL_DEADLINE_SECONDS = 1.0
CREATION_SECONDS = 30.0
"""The wait for another process before the first delivery: it may be creating the tables."""
FINAL_DEADLINE_SECONDS = 60.0
FINISH = "finish"
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
FINISH_SECONDS = 10.0
"""The time for which the helper retries waiting records at the end of a run."""
CATCH_UP_SECONDS = 10.0
"""The time for which the helper delivers earlier records at the end of a run."""
HELPER = (sys.executable, "-m", "suite.tracking.delivery")


@dataclass
class SyncProcess:
    """The parent's side of the helper process; `warn` is called with the first failure."""

    store: Store
    warn: Callable[[str], None]
    helper: Sequence[str] = HELPER
    _process: subprocess.Popen[str] | None = None
    _answers: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)
    """The lines of the helper, then None at the end of its output."""
    _reader: threading.Thread | None = None
    _unanswered: int = 0
    _ended: bool = False
    _failures: list[str] = field(default_factory=list)

    @property
    def started(self) -> bool:
        """Whether the helper was started."""
        return self._process is not None

    def start(self) -> None:
        """Start the helper unless it runs. It connects while the first cell loads its framework."""
        if self.started:
            return
        self._process = subprocess.Popen(
            [*self.helper, str(self.store.home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C reaches only the parent, which ends the helper
        )
        assert self._process.stdout is not None
        # A thread reads, because select() does not see lines that the file object has buffered.
        self._reader = threading.Thread(
            target=_read_lines, args=(self._process.stdout, self._answers), daemon=True
        )
        self._reader.start()

    def record_written(self, path: Path) -> None:
        """Pass a record to the helper, after a wait of at most `CELL_DEADLINE_SECONDS` for answers.

        The answers are those on earlier records; a quick store gave them long ago. Before the
        start there are only records of cells that did not run, which MLflow does not get.
        """
        self._receive(CELL_DEADLINE_SECONDS)
        self._send(str(path))

    def finish(self) -> str | None:
        """End the helper; return why MLflow lacks records, or None if it has all."""
        self._send(FINISH)
        self._receive(FINAL_DEADLINE_SECONDS)
        process = self._process
        if process is None:
            return None
        if self._unanswered and (self._ended or process.poll() is not None):
            self._failures.append("the tracking process ended unexpectedly")
        elif self._unanswered:
            process.kill()
            self._failures.append("the MLflow store is too slow")
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        return self._failures[-1] if self._failures else None

    def _send(self, line: str) -> None:
        """Write a line to the helper; a helper that has ended is a failure."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            self._unanswered += 1
        except (BrokenPipeError, ValueError):  # a closed pipe
            if not self._unanswered:
                self._fail("the tracking process ended unexpectedly")

    def _fail(self, failure: str) -> None:
        if not self._failures:
            self.warn(failure)
        self._failures.append(failure)

    def _receive(self, seconds: float) -> None:
        """Take answers until all have arrived, the time is up, or the helper ended."""
        deadline = time.monotonic() + seconds
        while self._unanswered and not self._ended:
            try:
                line = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if line is None:
                self._ended = True
                return
            self._unanswered -= 1
            if failure := json.loads(line).get("error"):
                self._fail(failure)


def _read_lines(output: IO[str], answers: queue.SimpleQueue[str | None]) -> None:
    """Put the lines of the helper into a queue, and None at the end of its output."""
    with output:
        for line in output:
            if line.endswith("\n"):  # a killed helper can leave a partial line
                answers.put(line)
    answers.put(None)


@dataclass
class DeliveryQueue:
    """Records on their way to MLflow. Records that cannot be delivered wait for the next try."""

    store: Store
    waiting: deque[Path] = field(default_factory=deque)
    lost: str | None = None
    """Why the last rejected record was rejected by a reachable store."""
    _taken: set[Path] = field(default_factory=set)
    _tracker: Tracker | None = None
    _pause: float = FIRST_PAUSE_SECONDS
    _next_try: float = -math.inf
    _failure: str = ""

    def take(self, path: Path) -> str | None:
        """Deliver a record and those that wait; return why this failed, or None."""
        self._taken.add(path)
        self.waiting.append(path)
        return self._failure if time.monotonic() < self._next_try else self.deliver()

    def deliver(self) -> str | None:
        """Try to deliver all waiting records; return why this failed, or None."""
        rejected = None
        try:
            patience = CELL_DEADLINE_SECONDS if self._tracker else CREATION_SECONDS
            with lock_writing(self.store, timeout_seconds=patience):
                self._tracker = self._tracker or connect(self.store)
                while self.waiting:
                    rejected = self._log(self._tracker, self.waiting[0]) or rejected
                    self.waiting.popleft()
        except Exception as error:  # the store or the lock cannot be reached: all records wait
            self._tracker = None  # the tracker's view of the store may be outdated
            known = isinstance(error, TrackingError)
            self._failure = str(error) if known else f"{type(error).__name__}: {error}"
            self._next_try = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            return self._failure
        self._pause = FIRST_PAUSE_SECONDS
        return rejected

    def _log(self, tracker: Tracker, path: Path) -> str | None:
        """Write a record to MLflow; return why a reachable store rejects it, or None."""
        try:
            record = parse_record(path.read_bytes())
        except (RecordError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
        else:
            list(tracker.log_all([record]))
            if record.run_id not in tracker.rejected:
                return None
            reason = tracker.rejected[record.run_id]
        self.lost = f"the record {path.stem} was skipped: {reason}"
        return self.lost

    def _catch_up(self, tracker: Tracker) -> int:
        """Deliver the earlier records that MLflow lacks; return the number left when time is up."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        earlier = {run_id: path for run_id, path in self.store.files() if path not in self._taken}
        for run_id, path in earlier.items():
            if tracker.holds(run_id):
                continue
            if time.monotonic() > deadline:
                return sum(not tracker.holds(each) for each in earlier)
            with suppress(RecordError, OSError):  # other commands report such files
                parse_summary(path.read_bytes())
                self._log(tracker, path)
        return 0

    def finish(self) -> str | None:
        """Deliver the waiting records within `FINISH_SECONDS`, then update the length runs.

        Returns:
            Why MLflow lacks records, or None if it has all.
        """
        deadline = time.monotonic() + FINISH_SECONDS
        while (failure := self.deliver()) and self.waiting:
            if time.monotonic() + self._pause > deadline:
                return failure
            time.sleep(self._pause)
        if self._tracker is None:
            return failure
        try:
            with lock_writing(self.store, timeout_seconds=FINISH_SECONDS):
                num_left = self._catch_up(self._tracker)
                self._tracker.complete(self.store)
        except TrackingError as error:
            return str(error)
        return f"{num_left} earlier records wait" if num_left else self.lost


def serve(home: Path) -> None:
    """Run the helper: answer the lines of a `SyncProcess` until its end of the pipe closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the output of libraries must not mix with the answers
    records = DeliveryQueue(Store(home))
    for line in sys.stdin:
        message = line.strip()
        error = records.finish() if message == FINISH else records.take(Path(message))
        print(json.dumps({"error": error} if error else {"ok": True}), file=answers, flush=True)


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
def deliver_records(store: Store) -> Iterator[OnEvent]:
    """Yield a listener; at the end, wait until MLflow has the records that it got.

    The helper process starts with the first cell that runs. If none runs, it starts at the end if
    MLflow may lack a record. The home warns of each failure; the records are safe, and `bench sync`
    delivers them later.
    """
    process = SyncProcess(store, lambda failure: store.warn(f"tracking: {failure}"))

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            process.start()
        elif isinstance(event, Finished) and not event.reused:
            process.record_written(store.path_of(event.record))

    try:
        yield listen
        if not process.started and may_lack_records(store):
            process.start()
    finally:
        if failure := process.finish():
            store.warn(f"MLflow is behind: {failure}")
            store.warn("the records are safe; `bench sync` delivers them later")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
