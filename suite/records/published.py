"""Published records, which are committed in `results/published/`, and those of a home.

`published/<machine>/` holds the records of one machine:

```
<benchmark>/<task>/<architecture>-<length>-seed-<seed>.<run id>.json   one final run
trials/<task>/<architecture>-<length>-seed-<seed>.<run id>.json        one other training with
                                                                       evaluation lengths
trials/<task>-v<version>-<source>-<length>-<size>.jsonl.gz             other trainings
timing/<mode>-<form>-<size>-<precision>-<backend>.jsonl.gz             rounds of probes
```

An archive is a gzip file that holds one record per line, sorted by run id. A record of an archive
is addressed as `FILE.jsonl.gz#RUN_ID`.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel

from suite.api import Mode
from suite.api.files import RESULTS, atomic_write_bytes, folder_name
from suite.records.environment import machine_name
from suite.records.migrations import SCHEMA_VERSION, migrate
from suite.records.schema import (
    Record,
    RecordError,
    RecordSummary,
    parse_record,
    parse_summary,
    stated_version,
)
from suite.records.store import Store

SUFFIX = ".jsonl.gz"
MAX_ARCHIVE_BYTES = 64 * 2**20
"""The limit of an archive's uncompressed size. A malicious archive could fill the memory."""
PUBLISHED = "published"
"""The folder of `results/` with the published records."""
TRIALS = "trials"
TIMING = "timing"
MAX_FINAL_BYTES = 12 * 2**10
"""The limit of the file of a final run, or of another record with a file of its own."""
MAX_ARCHIVED_BYTES = 2 * 2**10
"""The limit of a record in an archive, uncompressed, without scores under conditions."""
CONDITION_BYTES = 96
"""The bytes by which each split that is scored under a condition raises that limit."""
OPTION_BYTES = 16
"""The bytes by which each option of the architecture raises that limit."""
MAX_TREE_BYTES = 15 * 2**20
"""The limit of all committed records together."""


def read_archive(path: Path) -> list[bytes]:
    """Return the records of an archive as JSON, one per line.

    Raises:
        RecordError: the file is not a gzip file, or too large when it is uncompressed.
    """
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_ARCHIVE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise RecordError("An archive is a gzip file", received=f"{path.name}: {error}") from None
    if len(content) > MAX_ARCHIVE_BYTES:
        raise RecordError(
            f"An archive has at most {MAX_ARCHIVE_BYTES >> 20} MiB uncompressed", received=path.name
        )
    return content.splitlines()


def read_by_run(path: Path) -> dict[str, bytes]:
    """Return the records of an archive by run id; empty if the file does not exist.

    Raises:
        RecordError: the file is not an archive.
    """
    if not path.exists():
        return {}
    contents = {}
    for line in read_archive(path):
        try:
            contents[str(json.loads(line)["run_id"])] = line
        except (ValueError, KeyError, TypeError):
            raise RecordError("Each line of an archive is a record", received=path.name) from None
    return contents


def write_archive(path: Path, records: Mapping[str, bytes]) -> None:
    """Write an archive of records by run id. Equal records give equal bytes."""
    content = io.BytesIO()
    # The header gets neither the name of the file nor the time.
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=content, mtime=0) as file:
        file.writelines(records[run_id] + b"\n" for run_id in sorted(records))
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, content.getvalue())


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record's summary, the name of the machine that it ran on, and the file that holds it."""

    record: RecordSummary
    machine: str
    path: Path

    @property
    def address(self) -> str:
        """The path of the record's file; for a record of an archive, `FILE#RUN_ID`."""
        archived = self.path.name.endswith(SUFFIX)
        return f"{self.path}#{self.record.run_id}" if archived else str(self.path)


def is_final(record: RecordSummary) -> bool:
    """Return whether a record is a final run: a training of a frozen benchmark."""
    return record.cell.mode is Mode.TRAIN and record.cell.benchmark is not None


def has_own_file(record: RecordSummary) -> bool:
    """Return whether a committed record is a file of its own, which keeps reports and curves.

    Final runs are, and other trainings with evaluation lengths, which the pages draw.
    """
    return is_final(record) or bool(record.cell.evaluation_lengths)


def max_archived_bytes(record: RecordSummary) -> int:
    """Return the limit of a record in an archive, uncompressed; it is never above that of a file.

    The size of a curve against the strength of a disturbance depends on the number of its points.
    """
    num_scores = sum(len(splits) for splits in record.conditions.values())
    stated = num_scores * CONDITION_BYTES + len(record.cell.options) * OPTION_BYTES
    return min(MAX_ARCHIVED_BYTES + stated, MAX_FINAL_BYTES)


def committed_path(record: RecordSummary) -> PurePosixPath:
    """Return the file of a published record, relative to the folder of its machine."""
    cell = record.cell
    if has_own_file(record):
        benchmark, task, architecture = map(  # names that are paths must not lead elsewhere
            folder_name, (cell.benchmark or TRIALS, str(cell.task), cell.architecture)
        )
        name = f"{architecture}-{cell.sequence_length}-seed-{cell.seed}.{record.run_id}.json"
        return PurePosixPath(benchmark, task, name)
    if cell.mode is Mode.TRAIN:
        name = _name(
            cell.task, f"v{cell.task_version}", cell.source, cell.sequence_length, cell.model_size
        )
        return PurePosixPath(TRIALS, name + SUFFIX)
    name = _name(cell.mode, cell.form, cell.model_size, cell.precision, cell.backend)
    return PurePosixPath(TIMING, name + SUFFIX)


def _name(*parts: object) -> str:
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "-", str(part)) for part in parts)


def local_record(record: RecordSummary, path: Path) -> StoredRecord:
    """Return a record of a home."""
    return StoredRecord(record, machine_name(record.environment), path)


def local_records(store: Store) -> list[StoredRecord]:
    """Return the latest record of each cell of a home."""
    return [local_record(record, store.path_of(record)) for record in store.summaries()]


def without_trials(records: Sequence[StoredRecord]) -> list[StoredRecord]:
    """Return the records without trials of learning rates, unless there are no final runs."""
    if not any(is_final(stored.record) for stored in records):
        return list(records)
    return [
        stored
        for stored in records
        if stored.record.cell.mode is not Mode.TRAIN
        or stored.record.cell.scores_test
        or has_own_file(stored.record)
    ]


def published_files(results: Path = RESULTS) -> Iterator[tuple[str, Path]]:
    """Yield the machine and the path of each published file, sorted by path."""
    for path in sorted((results / PUBLISHED).glob("*/**/*")):
        if path.is_file():
            yield path.relative_to(results / PUBLISHED).parts[0], path


def read_published(results: Path = RESULTS) -> list[StoredRecord]:
    """Read all published records, sorted by path and run id.

    Raises:
        RecordError: a file is not a record or an archive; the message names the file.
    """
    stored = []
    for machine, path in published_files(results):
        if not path.name.endswith((".json", SUFFIX)):
            continue
        try:
            contents = read_archive(path) if path.name.endswith(SUFFIX) else [path.read_bytes()]
            records = [parse_summary(content) for content in contents]
        except RecordError as error:
            raise RecordError(f"{path.relative_to(results)}: {error}") from None
        stored += [StoredRecord(record, machine, path) for record in records]
    return stored


def read_record(address: str | Path) -> Record:
    """Return the record at an address: a file, or `FILE.jsonl.gz#RUN_ID`.

    Raises:
        RecordError: there is no such record.
        OSError: the file cannot be read.
    """
    path, mark, run_id = str(address).rpartition(f"{SUFFIX}#")
    if not mark:
        return parse_record(Path(address).read_bytes())
    content = read_by_run(Path(path + SUFFIX)).get(run_id)
    if content is None:
        raise RecordError("The archive must have this run", received=str(address))
    return parse_record(content)


class Detail(BaseModel, extra="ignore"):
    """The complete reports of a record by split, and its curves of `tokens` and `values`."""

    reports: Mapping[str, Mapping[str, Any]] = {}
    curves: Mapping[str, Mapping[str, Sequence[Any]]] = {}


def read_validation_curve(stored: StoredRecord, metric: str) -> Mapping[str, Sequence[Any]] | None:
    """Return the curve of a metric on validation; None without one or without a readable file."""
    try:
        return read_detail(stored).curves.get(f"validation_{metric}")
    except (FileNotFoundError, RecordError):
        return None


def read_detail(stored: StoredRecord) -> Detail:
    """Return the reports and the curves of a record; a record of an archive has none.

    Raises:
        FileNotFoundError: the file has been removed.
        RecordError: the file is not a record.
    """
    if stored.path.name.endswith(SUFFIX):
        return Detail()
    content = stored.path.read_bytes()
    try:
        if stated_version(content) == SCHEMA_VERSION:
            return Detail.model_validate_json(content)
        return Detail.model_validate(migrate(json.loads(content)))
    except (ValueError, AttributeError, KeyError, TypeError):  # pydantic's error is a ValueError
        raise RecordError("The file must be a record", received=str(stored.path)) from None
