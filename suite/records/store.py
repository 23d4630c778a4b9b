"""A home: the folder that holds a user's records, and everything made from them.

Records are written atomically, found by cell, and never changed by reading. A home has:

```
records/<cell id>.<run id>.json   one file for each run
set_aside/                        unreadable files that `bench doctor --set-aside` moved here
locks/<cell id>                   locked (flock) while an invocation runs the cell
cache/                            encoded data; can be deleted at any time
checks/                           reports of the conformance kit
weights/<cell id>/                the weights of a trained model, where they are kept
checkpoints/<cell id>.npz         the state of an interrupted training; its next run resumes from it
scratch/<run id>/                 the job, progress, outcome and log of a running worker
mlflow.db, mlflow_artifacts/      the default tracking store
site/index.html                   the dashboard
```
"""

from __future__ import annotations

import fcntl
import gc
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from io import FileIO
from pathlib import Path

from suite.api.errors import HomeError
from suite.api.files import LOCK_FILE, RESULTS, atomic_write_bytes, is_held
from suite.records.schema import (
    Read,
    Record,
    RecordError,
    RecordSummary,
    UnknownSchemaError,
    parse_record,
    parse_summary,
)
from suite.records.validity import latest_runs

HOME_VARIABLE = "BENCH_HOME"
DEFAULT_HOME = RESULTS / "local"
TRACKING = "tracking"
STALE_SECONDS = 600.0
"""The age from which a temporary file that no process holds counts as abandoned."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, which would scan up to 100,000 records again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def home_errors(
    problem: str,
    path: Path | None,
    remedy: str = "Make room or choose another --home, then repeat the command",
) -> Iterator[None]:
    """Turn an OSError of a home into a HomeError, which names `path` if there is one."""
    try:
        yield
    except OSError as error:
        received = f"{path} ({error.strerror})" if path else error.strerror
        raise HomeError(problem, received=received, remedy=remedy) from None


def ignore(message: str) -> None:
    """Ignore a warning."""


@dataclass(frozen=True)
class Lease:
    """An exclusive lock, as on a cell. The end of the process releases the lock too."""

    descriptor: int

    def close(self) -> None:
        """Release the lock."""
        os.close(self.descriptor)


@dataclass(frozen=True)
class Store:
    """A home: the folder that holds a user's records, and everything made from them.

    `warn` receives warnings, such as of a file that is not a readable record.
    """

    home: Path
    warn: Callable[[str], None] = field(default=ignore, compare=False, repr=False)

    @cached_property
    def records(self) -> Path:
        """The folder of the records."""
        return self.home / "records"

    @property
    def cache(self) -> Path:
        """The folder of the encoded data."""
        return self.home / "cache"

    @property
    def checks(self) -> Path:
        """The folder of the reports of the conformance kit."""
        return self.home / "checks"

    @property
    def tracking_uri(self) -> str:
        """The URI of the default MLflow store."""
        return sqlite_uri(self.home / "mlflow.db")

    @property
    def artifacts(self) -> Path:
        """The folder of the artifacts of the default MLflow store."""
        return self.home / "mlflow_artifacts"

    @property
    def mlflow_pages(self) -> Path:
        """The file that maps runs to pages of MLflow's UI, for the dashboard's links."""
        return self.home / "mlflow_pages.json"

    @property
    def dashboard(self) -> Path:
        """The dashboard's first page."""
        return self.home / "site" / "index.html"

    def prepare(self) -> None:
        """Create the folders, check that they are writable, and remove stale temporary files.

        Raises:
            HomeError: the folders cannot be created or are not writable.
        """
        remedy = "Choose another folder with --home DIR or BENCH_HOME"
        with home_errors("The folder for records must be writable", self.home, remedy):
            for folder in (self.records, self._locks, self._scratch):
                folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.records):
                pass
        self._sweep()

    def path_of(self, record: RecordSummary) -> Path:
        """Return the path of a record's file, whether or not it exists yet."""
        return self.records / f"{record.cell_id}.{record.run_id}.json"

    def write(self, record: Record) -> Path:
        """Write a record atomically and return its path.

        Raises:
            HomeError: the disk is full, or the folder is not writable.
        """
        path = self.path_of(record)
        with home_errors("A record could not be written", path):
            atomic_write_bytes(path, record.to_json().encode())
        return path

    def current(self) -> list[Record]:
        """Return the valid record of each cell."""
        with collector_paused():
            return latest_runs(self._read(self._paths(None), parse_record))

    def summaries(self, newest: int | None = None) -> list[RecordSummary]:
        """Return the summary of each cell's valid record; of a probe, one of each session.

        With `newest`, only that many records are read: those that ran last.
        """
        paths = self._paths(None)
        if newest is not None:  # run ids sort in the order in which the cells ran
            paths = sorted(paths, key=_run_id)[-newest:]
        with collector_paused():
            read = self._read(paths, parse_summary)
            return latest_runs(read, of_each_session=True)

    def all(self, cell_ids: Iterable[str] | None = None) -> list[Record]:
        """Return every record of some cells (of all cells by default), oldest first."""
        with collector_paused():
            records = list(self._read(self._paths(cell_ids), parse_record))
        return sorted(records, key=lambda record: record.run_id)

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield the run id and the path of each file among the records, readable or not."""
        for path in self._paths(None):
            yield _run_id(path), Path(path)

    def run_ids(self) -> frozenset[str]:
        """Return the run id of each file among the records, readable or not."""
        return frozenset(map(_run_id, self._paths(None)))

    def unreadable(self) -> list[tuple[Path, str]]:
        """Return the files among the records that are not readable records, with the reasons."""
        unreadable: list[tuple[Path, str]] = []
        with collector_paused():
            for _ in self._read(
                self._paths(None), parse_record, lambda *item: unreadable.append(item)
            ):
                pass
        return unreadable

    def is_malformed(self, path: Path) -> bool:
        """Return whether a file's content is no record of any version.

        A record of a newer schema and a file that the system cannot read are not malformed.
        """
        try:
            parse_record(path.read_bytes())
        except (UnknownSchemaError, OSError):
            return False
        except RecordError:
            return True
        return False

    def set_aside(self, path: Path) -> Path:
        """Move an unreadable file out of the records and return its new path.

        Raises:
            HomeError: the file cannot be moved.
        """
        folder = self.home / "set_aside"
        moved, number = folder / path.name, 0
        while moved.exists():  # an earlier file of this name stays
            number += 1
            moved = folder / f"{path.stem}.{number}{path.suffix}"
        problem = "An unreadable file could not be set aside"
        with home_errors(problem, path, "Check the permissions of the home"):
            folder.mkdir(exist_ok=True)
            path.rename(moved)
        return moved

    def acquire(self, name: str) -> Lease | None:
        """Return the lease of a cell or of `TRACKING`; None while another process holds it."""
        descriptor = os.open(self._locks / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return Lease(descriptor)

    @property
    def identity(self) -> str:
        """The random name of this home, created at its first use."""
        path = self.home / "identity"
        if not path.exists():
            atomic_write_bytes(path, secrets.token_hex(8).encode())
        return path.read_text()

    def new_scratch(self, run_id: str) -> Path:
        """Create and return the folder in which the worker of a run works."""
        folder = self._scratch / run_id
        folder.mkdir(parents=True)
        return folder

    def checkpoint(self, cell_id: str) -> Path:
        """Return the path of the checkpoint of a cell's training."""
        return self.home / "checkpoints" / f"{cell_id}.npz"

    def checkpoints(self, before: datetime) -> list[Path]:
        """Return the checkpoints written before a moment."""
        paths = sorted((self.home / "checkpoints").glob("*.npz"))
        return [path for path in paths if path.stat().st_mtime < before.timestamp()]

    @property
    def _locks(self) -> Path:
        return self.home / "locks"

    @property
    def _scratch(self) -> Path:
        return self.home / "scratch"

    def _paths(self, cell_ids: Iterable[str] | None) -> list[str]:
        """Return the paths of record files as texts, which are read faster than as `Path`s."""
        wanted = None if cell_ids is None else set(cell_ids)
        with suppress(FileNotFoundError):
            return sorted(
                entry.path
                for entry in os.scandir(self.records)
                if entry.name.endswith(".json")
                and (wanted is None or entry.name.partition(".")[0] in wanted)
            )
        return []

    def _read(
        self,
        paths: Iterable[str],
        parse: Callable[[bytes], Read],
        report: Callable[[Path, str], None] | None = None,
    ) -> Iterator[Read]:
        """Yield the readable records; `report` gets the others, by default `_warn_of`."""
        report = report or self._warn_of
        for path in paths:
            try:
                with FileIO(path) as file:
                    record = parse(file.read())
                # Other commands find and delete the file of a record by this name.
                if not path.endswith(f"/{record.cell_id}.{record.run_id}.json"):
                    raise RecordError(
                        "A record of a home is named by its cell and its run",
                        received=f"the record of cell {record.cell_id}, run {record.run_id}",
                        remedy="Name the file CELL.RUN.json again, or delete the copy",
                    )
            except FileNotFoundError:  # `bench prune` may run meanwhile
                continue
            except RecordError as error:
                report(Path(path), str(error))
            except OSError as error:
                report(Path(path), f"{error.strerror}.")
            else:
                yield record

    def _warn_of(self, path: Path, reason: str) -> None:
        name = " ".join(str(path).splitlines())  # the name of a file may have line breaks
        left_alone = f"{name} is not a readable record and was left alone"
        self.warn(f"{left_alone}: {reason} `bench doctor` lists such files.")

    def _sweep(self) -> None:
        """Remove the remains of killed invocations: scratch folders and half-written files."""
        for folder, pattern in (
            (self.records, ".*.part"),
            (self.home / "checkpoints", ".*.part"),
            (self.cache, ".*.part"),
            (self.cache, ".making-*"),
        ):
            for path in folder.glob(pattern):
                remove_if_stale(path)
        for folder in self._scratch.iterdir():
            # Another invocation may remove the folder, or be about to write its marker.
            try:
                cell_id = (folder / "cell_id").read_text()
            except (FileNotFoundError, NotADirectoryError):
                cell_id = ""
            if not cell_id:
                remove_if_stale(folder)
            elif lease := self.acquire(cell_id):
                shutil.rmtree(folder, ignore_errors=True)
                lease.close()


def _run_id(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json").partition(".")[2]


def remove_if_stale(path: Path) -> None:
    """Remove a file or folder that no process holds and that is not from this moment."""
    with suppress(FileNotFoundError):
        written = max(each.stat().st_mtime for each in (path, *path.rglob("*")))
        # A clock may have been set back since, and may be set forward while a process writes.
        is_new = abs(time.time() - written) <= STALE_SECONDS
        if is_new or is_held(path / LOCK_FILE if path.is_dir() else path):
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def sqlite_uri(path: Path) -> str:
    """Return the URI of an SQLite database for MLflow."""
    quoted = str(path).replace("%", "%25").replace("?", "%3F")
    # With the driver in the URI, MLflow does not take a quoted path for one to create.
    return f"sqlite{'' if quoted == str(path) else '+pysqlite'}:///{quoted}"
