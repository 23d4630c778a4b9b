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
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from suite import CHECKOUT
from suite.contracts import Status
from suite.errors import HomeError
from suite.files import write_atomically
from suite.record import Record, RecordError, parse_record

HOME_VARIABLE = "BENCH_HOME"
DEFAULT_HOME = CHECKOUT / "results" / "local"

STALE_SECONDS = 600.0
"""A temporary file older than this belongs to nobody: writing one takes no time."""

SetAside = Callable[[Path, str], None]


def ignore_set_aside(path: Path, reason: str) -> None:
    """Take no notice of a file that was moved aside."""


@dataclass(frozen=True)
class Lease:
    """The right to run one cell, held until closed or until the process dies."""

    descriptor: int

    def close(self) -> None:
        """Give the cell free."""
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

    def path_of(self, record: Record) -> Path:
        """Return where a record is, or will be."""
        return self.records / f"{record.cell_id}.{record.run_id}.json"

    def write(self, record: Record) -> Path:
        """Write a record whole or not at all, and return its path.

        Raises:
            HomeError: the disk is full or cannot be written.
        """
        path = self.path_of(record)
        try:
            write_atomically(path, record.to_json().encode())
        except OSError as error:
            raise HomeError(
                "A record could not be written",
                received=f"{path} ({error.strerror})",
                remedy="Make room or choose another --home, then run the same command again",
            ) from None
        return path

    def current(
        self, cell_ids: Iterable[str] | None = None, set_aside: SetAside = ignore_set_aside
    ) -> dict[str, Record]:
        """Return the record that stands for each cell (all cells by default).

        That is the latest run; an interrupted one only where there is no other. Files that are no
        records are moved aside and told to `set_aside`.
        """
        wanted = None if cell_ids is None else set(cell_ids)
        current: dict[str, Record] = {}
        for record in self._read(self._paths(wanted), set_aside):
            standing = current.get(record.cell_id)
            if standing is None or _precedence(record) > _precedence(standing):
                current[record.cell_id] = record
        return current

    def all(self, set_aside: SetAside = ignore_set_aside) -> list[Record]:
        """Return every record, oldest first."""
        return sorted(self._read(self._paths(None), set_aside), key=lambda record: record.run_id)

    def acquire(self, cell_id: str) -> Lease | None:
        """Take the lease of a cell, or return None while another invocation holds it."""
        descriptor = os.open(self._locks / cell_id, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return Lease(descriptor)

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

    def _read(self, paths: Iterable[Path], set_aside: SetAside) -> Iterator[Record]:
        for path in paths:
            try:
                yield parse_record(path.read_bytes())
            except FileNotFoundError:
                continue
            except RecordError as error:
                folder = self.home / "set_aside"
                folder.mkdir(exist_ok=True)
                set_aside(path.rename(folder / path.name), str(error))

    def _sweep(self) -> None:
        """Remove what killed invocations left: folders nobody holds, files half written."""
        for part in self.records.glob(".*.part"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > STALE_SECONDS:
                    part.unlink()
        for folder in self._scratch.iterdir():
            marker = folder / "cell_id"
            lease = self.acquire(marker.read_text()) if marker.exists() else None
            if lease:
                self.drop_scratch(folder)
                lease.close()


def new_run_id(now: datetime) -> str:
    """Name a run so that names sort by time and never meet."""
    return f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}".replace(".", "")


def _precedence(record: Record) -> tuple[bool, str]:
    return (record.status is not Status.INTERRUPTED, record.run_id)
