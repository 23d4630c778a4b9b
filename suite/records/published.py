"""Records in the folders of `results/` that are committed, and in a home.

`published/<machine>/` holds the project's own records, `submitted/<who>/` those of others, and
`verified/<machine>/` those that ran a submitted cell again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from suite.api.files import CHECKOUT
from suite.records.environment import machine_name
from suite.records.schema import RecordError, RecordSummary, parse_summary
from suite.records.store import ReportUnreadable, Store

RESULTS = CHECKOUT / "results"


class Folder(StrEnum):
    """The place of a record: a home, or one of the committed folders."""

    LOCAL = "local"
    PUBLISHED = "published"
    SUBMITTED = "submitted"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record's summary, the folder and file that hold it, and its owner.

    The owner is the name of the machine, or of the submitter.
    """

    record: RecordSummary
    folder: Folder
    owner: str
    path: Path

    @property
    def machine(self) -> str:
        """The name of the machine that the record ran on."""
        if self.folder is Folder.SUBMITTED:
            return machine_name(self.record.environment)
        return self.owner

    @property
    def entry(self) -> str:
        """The name of the entry; a submitted record names its submitter too."""
        name = self.record.ranking.entry
        return f"{name}, by {self.owner}" if self.folder is Folder.SUBMITTED else name


def local_record(record: RecordSummary, path: Path) -> StoredRecord:
    """Return a record of a home."""
    return StoredRecord(record, Folder.LOCAL, machine_name(record.environment), path)


def local_records(store: Store, report_unreadable: ReportUnreadable) -> list[StoredRecord]:
    """Return the latest record of each cell of a home."""
    return [
        local_record(record, store.path_of(record)) for record in store.summaries(report_unreadable)
    ]


def published_records(results: Path = RESULTS) -> list[StoredRecord]:
    """Return the project's own published records."""
    return [stored for stored in read_published(results) if stored.folder is Folder.PUBLISHED]


def read_published(results: Path = RESULTS, leaving_out: Path | None = None) -> list[StoredRecord]:
    """Read all committed records but those of a file or folder, sorted by path.

    Raises:
        RecordError: a file is not a record; the message names the file.
    """
    found = []
    for folder in (Folder.PUBLISHED, Folder.SUBMITTED, Folder.VERIFIED):
        for path in sorted((results / folder).glob("*/*.json")):
            if leaving_out in (path, path.parent):
                continue
            try:
                record = parse_summary(path.read_bytes())
            except RecordError as error:
                raise RecordError(f"{path.relative_to(results)}: {error}") from None
            found.append(StoredRecord(record, folder, path.parent.name, path))
    return found
