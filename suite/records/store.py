"""Records on disk: written atomically, found again by cell, guarded by leases.

The only module that knows the paths inside a home:

```
records/<cell id>.<run id>.json   one file a run, never changed after it is written
set_aside/                        files that are no records, moved out of the way
locks/<cell id>                   held (flock) while an invocation runs the cell
cache/                            encoded data; can be deleted at any time
checkpoints/<cell id>.npz         a training cut off, for the next run of its cell to go on from
scratch/<run id>/                 a running child's job, progress, outcome and log
mlflow.db, mlflow_artifacts/      the default tracking store
site/index.html                   the dashboard
```
"""

from __future__ import annotations

import fcntl
import gc
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from suite.api import PROTOCOL, Status
from suite.api.errors import HomeError
from suite.api.files import CHECKOUT, atomic_write_bytes
from suite.records.schema import (
    Read,
    Record,
    RecordError,
    RecordSummary,
    parse_record,
    parse_summary,
)
from suite.records.standing import latest_runs

HOME_VARIABLE = "BENCH_HOME"
DEFAULT_HOME = CHECKOUT / "results" / "local"

TRACKING = "tracking"

STALE_SECONDS = 600.0
"""The age from which a temporary file counts as abandoned; writing one takes seconds."""

SetAside = Callable[[Path, str], None]


def ignore_set_aside(path: Path, reason: str) -> None:
    """Take no notice of a file that was moved aside."""


@dataclass(frozen=True)
class Lease:
    """The right to one thing, such as running a cell, held until closed or the process's death."""

    descriptor: int

    def close(self) -> None:
        """Give it free."""
        os.close(self.descriptor)


@dataclass(frozen=True)
class Store:
    """A home: the folder with a user's records and what is drawn from them."""

    home: Path

    @property
    def records(self) -> Path:
        """The folder of the records."""
        return self.home / "records"

    @property
    def cache(self) -> Path:
        """Where encoded data is kept."""
        return self.home / "cache"

    @property
    def tracking_uri(self) -> str:
        """The default MLflow store."""
        return f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """Where the default MLflow store keeps artifacts."""
        return self.home / "mlflow_artifacts"

    @property
    def mlflow_pages(self) -> Path:
        """Where MLflow's UI shows which run: what the dashboard's links follow."""
        return self.home / "mlflow_pages.json"

    @property
    def dashboard(self) -> Path:
        """The dashboard's first page."""
        return self.home / "site" / "index.html"

    def prepare(self) -> None:
        """Create the folders and prove that they can be written.

        Raises:
            HomeError: they cannot.
        """
        try:
            for folder in (self.records, self._locks, self._scratch):
                folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.records):
                pass
        except OSError as error:
            raise HomeError(
                "The folder for records must be writable",
                received=f"{self.home} ({error.strerror})",
                remedy="Choose another with --home DIR or BENCH_HOME",
            ) from None
        self._sweep()

    def path_of(self, record: RecordSummary) -> Path:
        """Return where a record is, or will be."""
        return self.records / f"{record.cell_id}.{record.run_id}.json"

    def write(self, record: Record) -> Path:
        """Write a record whole or not at all, and return its path.

        Raises:
            HomeError: the disk is full or cannot be written.
        """
        path = self.path_of(record)
        try:
            atomic_write_bytes(path, record.to_json().encode())
        except OSError as error:
            raise HomeError(
                "A record could not be written",
                received=f"{path} ({error.strerror})",
                remedy="Make room or choose another --home, then run the same command again",
            ) from None
        return path

    def current(
        self, cell_ids: Iterable[str] | None = None, set_aside: SetAside = ignore_set_aside
    ) -> list[Record]:
        """Return the record that stands for each cell (all cells by default).

        That is the latest run; an interrupted one only where there is no other. What a probe
        measured is its machine's: one stands for each. Files that are no records are moved aside
        and told to `set_aside`.
        """
        wanted = None if cell_ids is None else set(cell_ids)
        with collector_paused():
            return latest_runs(self._read(self._paths(wanted), set_aside, parse_record))

    def summaries(self, set_aside: SetAside = ignore_set_aside) -> list[RecordSummary]:
        """Return what comparing needs of the record that stands for each cell."""
        with collector_paused():
            return latest_runs(self._read(self._paths(None), set_aside, parse_summary))

    def all(self, set_aside: SetAside = ignore_set_aside) -> list[Record]:
        """Return every record, oldest first."""
        with collector_paused():
            records = list(self._read(self._paths(None), set_aside, parse_record))
        return sorted(records, key=lambda record: record.run_id)

    def acquire(self, name: str) -> Lease | None:
        """Take the lease of a cell, or of `TRACKING`; None while another process holds it."""
        descriptor = os.open(self._locks / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return Lease(descriptor)

    @property
    def identity(self) -> str:
        """A random name of this home, made when it is first asked for."""
        path = self.home / "identity"
        if not path.exists():
            atomic_write_bytes(path, secrets.token_hex(8).encode())
        return path.read_text()

    def new_scratch(self, run_id: str) -> Path:
        """Create the folder a child works in."""
        folder = self._scratch / run_id
        folder.mkdir(parents=True)
        return folder

    def drop_scratch(self, folder: Path) -> None:
        """Remove a child's folder."""
        shutil.rmtree(folder, ignore_errors=True)

    def checkpoint(self, cell_id: str) -> Path:
        """Return where a cell's training leaves its state while it runs."""
        return self.home / "checkpoints" / f"{cell_id}.npz"

    def checkpoints(self, before: datetime) -> list[Path]:
        """Return the checkpoints written before a moment."""
        folder = self.home / "checkpoints"
        return [
            path
            for path in (sorted(folder.glob("*.npz")) if folder.is_dir() else [])
            if path.stat().st_mtime < before.timestamp()
        ]

    @property
    def _locks(self) -> Path:
        return self.home / "locks"

    @property
    def _scratch(self) -> Path:
        return self.home / "scratch"

    def _paths(self, cell_ids: set[str] | None) -> list[Path]:
        with suppress(FileNotFoundError):
            return sorted(
                Path(entry.path)
                for entry in os.scandir(self.records)
                if entry.name.endswith(".json")
                and (cell_ids is None or entry.name.partition(".")[0] in cell_ids)
            )
        return []

    def _read(
        self, paths: Iterable[Path], set_aside: SetAside, parse: Callable[[bytes], Read]
    ) -> Iterator[Read]:
        for path in paths:
            try:
                yield parse(path.read_bytes())
            except FileNotFoundError:
                continue
            except RecordError as error:
                folder = self.home / "set_aside"
                folder.mkdir(exist_ok=True)
                set_aside(path.rename(folder / path.name), str(error))

    def _sweep(self) -> None:
        """Remove the remains of killed invocations: scratch folders and half-written files."""
        for folder, pattern in (
            (self.records, ".*.part"),
            (self.home / "checkpoints", ".*.part"),
            (self.cache, ".*.part"),
            (self.cache, ".making-*"),
        ):
            for path in folder.glob(pattern):
                _remove_if_stale(path)
        for folder in self._scratch.iterdir():
            # Another invocation may remove the folder, or be about to write its marker.
            try:
                cell_id = (folder / "cell_id").read_text()
            except (FileNotFoundError, NotADirectoryError):
                cell_id = ""
            if not cell_id:
                _remove_if_stale(folder)
            elif lease := self.acquire(cell_id):
                self.drop_scratch(folder)
                lease.close()


def _remove_if_stale(path: Path) -> None:
    """Remove a file or folder in which nothing was written for `STALE_SECONDS`."""
    with suppress(FileNotFoundError):
        written = max(each.stat().st_mtime for each in (path, *path.rglob("*")))
        if time.time() - written <= STALE_SECONDS:
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Let the garbage collector rest: it would look through 100,000 records again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def prunable(
    store: Store,
    *,
    before: datetime | None = None,
    statuses: Collection[Status] = (),
    old_protocols: bool = False,
    superseded: bool = False,
    set_aside: SetAside = ignore_set_aside,
) -> list[Record]:
    """Return the records that meet every condition that is set, oldest first.

    `superseded` are those in whose place another stands.
    """
    records = store.all(set_aside)
    standing = {record.run_id for record in latest_runs(records)}
    return [
        record
        for record in records
        if (before is None or record.ended_at < before)
        and (not statuses or record.status in statuses)
        and not (old_protocols and record.protocol == PROTOCOL)
        and not (superseded and record.run_id in standing)
    ]


def without_password(uri: str) -> str:
    """Return a tracking store's address as it may be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", uri)


def new_run_id(now: datetime) -> str:
    """Name a run so that names sort by time and never meet."""
    return f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}".replace(".", "")
