"""Brings MLflow up to the records: all at once (`bench sync`), or beside a run, between its cells.

Beside a run a helper process does it, started with the run: importing mlflow costs the parent
nothing, a slow server costs a cell at most `CELL_DEADLINE_SECONDS`, and a dead one costs nothing
but the message that records wait. The helper speaks lines: a record's path in, a JSON object out.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any

from suite.errors import LengthwiseError, TrackingError
from suite.record import parse_record
from suite.store import SetAside, Store, ignore_set_aside

URI_VARIABLE = "MLFLOW_TRACKING_URI"
CELL_DEADLINE_SECONDS = 1.0
FINAL_DEADLINE_SECONDS = 60.0
FINISH = "finish"

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did: runs written, runs that stood, runs along the lengths made (anew)."""

    written: int
    stood: int
    length_runs: int


def tracking_uri(store: Store) -> str:
    """Return MLFLOW_TRACKING_URI, or the home's own SQLite store."""
    return os.environ.get(URI_VARIABLE) or store.tracking_uri


def sync(
    store: Store,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    set_aside: SetAside = ignore_set_aside,
) -> SyncReport:
    """Write every record that MLflow lacks; running it again changes nothing.

    Raises:
        TrackingError: the store cannot be reached.
    """
    tracker = connect(store)
    records = store.all(set_aside)
    written = 0
    for done, record in enumerate(records, start=1):
        written += tracker.log(record)
        on_progress(done, len(records))
    made = tracker.refresh_length_runs(store.current().values())
    return SyncReport(written, len(records) - written, made)


@dataclass
class SyncProcess:
    """The parent's end of the helper."""

    store: Store
    warn: Callable[[str], None]
    _process: subprocess.Popen[str] | None = None
    _unanswered: int = 0
    _failures: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Start the helper; it connects while the framework loads."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "suite.syncing", str(self.store.home)],
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
        while self._unanswered and select([output], [], [], seconds)[0]:
            line = output.readline()
            if not line:
                return
            self._unanswered -= 1
            if failure := json.loads(line).get("error"):
                if not self._failures:
                    self.warn(failure)
                self._failures.append(failure)


def serve(home: Path) -> None:
    """Answer the lines of a `SyncProcess` until its end is closed."""
    store = Store(home)
    tracker: Any = None
    for line in sys.stdin:
        try:
            tracker = tracker or connect(store)
            if line.strip() == FINISH:
                tracker.refresh_length_runs(store.current().values())
            else:
                tracker.log(parse_record(Path(line.strip()).read_bytes()))
            answer: Mapping[str, Any] = {"ok": True}
        except LengthwiseError as error:
            answer = {"error": str(error)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def connect(store: Store) -> Any:
    """Return a tracker for a home, importing mlflow now.

    Raises:
        TrackingError: the store cannot be reached.
    """
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    from suite.tracking import Tracker

    uri = tracking_uri(store)
    own = uri == store.tracking_uri
    try:
        tracker = Tracker(uri, store.artifacts if own else None)
        tracker.connect()
    except TrackingError:
        raise
    except Exception as error:  # mlflow raises what its database driver raises
        raise TrackingError(
            "The MLflow store cannot be used", received=f"{uri}: {type(error).__name__}: {error}"
        ) from None
    return tracker


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
