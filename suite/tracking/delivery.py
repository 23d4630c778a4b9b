"""Brings MLflow up to the records: all at once (`bench sync`), or beside a run, between its cells.

Beside a run a helper process does it, started with the run: importing mlflow costs the parent
nothing, a slow server costs a cell at most `CELL_DEADLINE_SECONDS`, and a dead one costs nothing
but the message that records wait. What could not be delivered is tried again, at growing intervals
and once more at the end; what then remains waits for `bench sync`. The helper speaks lines: a
record's path in, a JSON object out.

One process of a home writes at a time (`Store.acquire(TRACKING)`), so a run found half-written by
this home is nobody's work any more.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from select import select
from typing import Any

from suite.api.errors import TrackingError
from suite.api.files import atomic_write_bytes
from suite.records.schema import parse_record
from suite.records.store import TRACKING, SetAside, Store, ignore_set_aside, without_password

UI_ADDRESS = "http://127.0.0.1:5000"
"""Where `bench ui` serves, unless it is told another port."""
URI_VARIABLE = "MLFLOW_TRACKING_URI"
CELL_DEADLINE_SECONDS = 1.0
FINAL_DEADLINE_SECONDS = 60.0
FINISH = "finish"
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
FINISH_SECONDS = 10.0
"""For how long what waits is tried again when a run has ended."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did: runs written, records that needed none, runs along the lengths made anew,
    duplicates dropped that another home had written at the same moment.
    """

    written: int
    stood: int
    length_runs: int
    duplicates: int


def tracking_uri(store: Store) -> str:
    """Return MLFLOW_TRACKING_URI, or the home's own SQLite store."""
    return os.environ.get(URI_VARIABLE) or store.tracking_uri


def sync(
    store: Store,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    set_aside: SetAside = ignore_set_aside,
    *,
    rebuild: bool = False,
) -> SyncReport:
    """Write every record that MLflow lacks; running it again changes nothing.

    With `rebuild`, delete first whatever Lengthwise wrote there.

    Raises:
        TrackingError: the store cannot be reached.
    """
    with writing(store):
        if rebuild:
            _clear(store)
        tracker = connect(store)
        records = store.all(set_aside)
        written = 0
        for done, was_written in enumerate(tracker.log_all(records), start=1):
            written += was_written
            on_progress(done, len(records))
        tracker.close_invocations()
        made = tracker.refresh_length_runs(store.summaries())
        dropped = tracker.drop_duplicates()
        _keep_pages(store, tracker)
    return SyncReport(written, len(records) - written, made, dropped)


def _clear(store: Store) -> None:
    """Delete what Lengthwise wrote: the home's own store whole, of a server only our runs."""
    store.mlflow_pages.unlink(missing_ok=True)
    if tracking_uri(store) != store.tracking_uri:
        connect(store).clear()
        return
    for path in store.home.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(store.artifacts, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class MlflowPages:
    """Where MLflow's UI shows what: each run by its id, each experiment's cells by its name.

    `at` is the address of the UI: a server's, or that of `bench ui`.
    """

    at: str
    runs: Mapping[str, str] = field(default_factory=dict)
    experiments: Mapping[str, str] = field(default_factory=dict)


def read_pages(store: Store) -> MlflowPages:
    """Return what is known of the tracking store in use; nothing before the first sync."""
    uri = tracking_uri(store)
    at = without_password(uri).rstrip("/") if uri.startswith("http") else UI_ADDRESS
    if store.mlflow_pages.exists():
        kept = MlflowPages(**json.loads(store.mlflow_pages.read_text()))
        if kept.at == at:
            return kept
    return MlflowPages(at)


def _keep_pages(store: Store, tracker: Any) -> None:
    known = read_pages(store)
    pages = MlflowPages(
        known.at,
        runs={**known.runs, **tracker.pages()},
        experiments={**known.experiments, **tracker.views()},
    )
    atomic_write_bytes(store.mlflow_pages, json.dumps(asdict(pages)).encode())


@contextlib.contextmanager
def writing(store: Store, patience_seconds: float = math.inf) -> Iterator[None]:
    """Hold the right to write to the tracking store for this home.

    Raises:
        TrackingError: another process still holds it when the patience ends.
    """
    ends = time.monotonic() + patience_seconds
    while (lease := store.acquire(TRACKING)) is None:
        if time.monotonic() >= ends:
            raise TrackingError("Another process is writing this home's records to MLflow")
        time.sleep(0.05)
    try:
        yield
    finally:
        lease.close()


@dataclass
class SyncProcess:
    """The parent's end of the helper."""

    store: Store
    warn: Callable[[str], None]
    _process: subprocess.Popen[str] | None = None
    _unanswered: int = 0
    _failures: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Start the helper if it is not there; it connects while the framework loads."""
        if self._process:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-m", "suite.tracking.delivery", str(self.store.home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is the parent's; the helper ends with its input
        )

    def record_written(self, path: Path) -> None:
        """Hand a record over; wait for it only as long as a cell may wait for tracking."""
        self._send(str(path))
        self._listen(CELL_DEADLINE_SECONDS)

    def finish(self) -> str | None:
        """Let the helper finish, and return why MLflow is not up to date, or None where it is."""
        self._send(FINISH)
        self._listen(FINAL_DEADLINE_SECONDS)
        process = self._process
        if process is None:
            return None
        if self._unanswered and process.poll() is None:
            process.kill()
            self._failures.append("the MLflow store is too slow")
        elif self._unanswered:
            self._failures.append("the tracking process ended unexpectedly")
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        return self._failures[-1] if self._failures else None

    def _send(self, line: str) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            self._unanswered += 1
        except BrokenPipeError:
            pass

    def _listen(self, seconds: float) -> None:
        """Take answers until all have come or the time is up."""
        if self._process is None:
            return
        output = self._process.stdout
        assert output is not None
        ends = time.monotonic() + seconds
        while self._unanswered and select([output], [], [], max(0.0, ends - time.monotonic()))[0]:
            line = output.readline()
            if not line.endswith("\n"):  # the helper is gone, perhaps in the middle of a word
                return
            self._unanswered -= 1
            if failure := json.loads(line).get("error"):
                if not self._failures:
                    self.warn(failure)
                self._failures.append(failure)


@dataclass
class DeliveryQueue:
    """Records on their way to MLflow: what cannot be delivered waits, and is tried again."""

    store: Store
    waiting: deque[Path] = field(default_factory=deque)
    lost: str | None = None
    """Why a record was given up: MLflow was there and did not take it."""
    _tracker: Any = None
    _pause: float = FIRST_PAUSE_SECONDS
    _next_try: float = -math.inf
    _failure: str = ""

    def take(self, path: Path) -> str | None:
        """Deliver one more record, and those that wait; return why not, or None."""
        self.waiting.append(path)
        return self._failure if time.monotonic() < self._next_try else self.deliver()

    def deliver(self) -> str | None:
        """Try to deliver all that waits; return why it could not be, or None."""
        try:
            with writing(self.store, patience_seconds=CELL_DEADLINE_SECONDS):
                self._tracker = self._tracker or connect(self.store)
                while self.waiting:
                    self._tracker.log(parse_record(self.waiting[0].read_bytes()))
                    self.waiting.popleft()
        except TrackingError as error:
            self._tracker = None  # what it knew of the store may be wrong now
            self._failure = str(error)
            self._next_try = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            return self._failure
        except Exception as error:  # this record will not pass: the others may
            self.waiting.popleft()
            self.lost = f"{type(error).__name__}: {error}"
            return self.lost
        self._pause = FIRST_PAUSE_SECONDS
        return None

    def finish(self) -> str | None:
        """Deliver what waits, with patience, then bring the runs along the lengths up to date."""
        ends = time.monotonic() + FINISH_SECONDS
        while (failure := self.deliver()) and self.waiting:
            if time.monotonic() + self._pause > ends:
                return failure
            time.sleep(self._pause)
        if self._tracker is None:
            return failure
        try:
            with writing(self.store, patience_seconds=FINISH_SECONDS):
                self._tracker.close_invocations()
                self._tracker.refresh_length_runs(self.store.summaries())
                _keep_pages(self.store, self._tracker)
        except TrackingError as error:
            return str(error)
        return self.lost


def serve(home: Path) -> None:
    """Answer the lines of a `SyncProcess` until its end is closed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    spool = DeliveryQueue(Store(home))
    for line in sys.stdin:
        word = line.strip()
        error = spool.finish() if word == FINISH else spool.take(Path(word))
        print(json.dumps({"error": error} if error else {"ok": True}), file=answers, flush=True)


def connect(store: Store) -> Any:
    """Return a tracker for a home, importing mlflow now.

    Raises:
        TrackingError: the store cannot be reached.
    """
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    from suite.tracking.client import Tracker

    uri = tracking_uri(store)
    own = uri == store.tracking_uri
    try:
        tracker = Tracker(uri, store.identity, store.artifacts if own else None)
        tracker.connect()
    except TrackingError:
        raise
    except Exception as error:  # mlflow raises what its database driver raises
        shown = without_password(uri)
        what = f"{type(error).__name__}: {error}".replace(uri, shown)
        raise TrackingError(
            "The MLflow store cannot be used", received=f"{shown}: {what}"
        ) from None
    return tracker


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
