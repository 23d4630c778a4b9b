"""Publication: local records are checked, stripped, reduced and written to `results/published/`.

A published record has the same schema as a local one. `suite.records.published` describes the
folders, and `suite.publish.reduction` what a published record keeps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.api.errors import RequestError
from suite.api.files import RESULTS, atomic_write_bytes
from suite.matrix.registry import Registry
from suite.publish.checks import PRIVATE, find_problem
from suite.publish.reduction import TooLargeError, reduced
from suite.records.environment import MAX_MACHINE_NAME, machine_name
from suite.records.published import (
    PUBLISHED,
    SUFFIX,
    committed_path,
    read_by_run,
    read_published,
    write_archive,
)
from suite.records.schema import Record, RecordSummary
from suite.records.store import Store
from suite.search.tuning_evidence import unpublished_trial

MACHINE_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{1,{MAX_MACHINE_NAME - 1}}}")
TEXT_REPORTS = ("examples", "occlusion", "samples")
"""The reports that contain or picture texts of the data."""


@dataclass
class PublishResult:
    """The file of each record that was written, the number already there, and the refusals."""

    written: list[Path] = field(default_factory=list)
    already_published: int = 0
    refused: list[tuple[Record, str]] = field(default_factory=list)


def publish(
    store: Store,
    machine: str | None = None,
    into: Path = RESULTS / PUBLISHED,
    *,
    registry: Registry,
    dry_run: bool = False,
) -> PublishResult:
    """Copy the valid record of each cell that passes the checks.

    `machine` is the name of the folder in `into`; by default each record's own machine. Records of
    an archive are added to those that it has already. The trials behind a tuned learning rate must
    be committed, or be published with the final run.

    Raises:
        RequestError: the machine's name is not valid.
    """
    if machine is not None and not MACHINE_NAME.fullmatch(machine):
        raise RequestError(
            "The name of a machine has lower-case letters, digits and hyphens",
            received=repr(machine),
            remedy="Name it as in --machine my-workstation",
        )
    outcome = PublishResult()
    added: dict[Path, dict[str, bytes]] = {}
    records = sorted(  # trials come first
        store.current(),
        key=lambda record: (record.ranking.tuning is not None, record.run_id),
    )
    known: dict[str, RecordSummary] = {
        stored.record.run_id: stored.record for stored in read_published(into.parent)
    }
    published = set(known)
    for record in records:
        stripped = strip(record)
        reason = find_problem(stripped, registry) or unpublished_trial(record, known)
        if reason and record.run_id in published:  # a former version of its benchmark, say
            outcome.already_published += 1
            continue
        try:
            content = b"" if reason else reduced(stripped)
        except TooLargeError as error:
            reason = str(error)
        if reason:
            outcome.refused.append((record, reason))
            continue
        known[record.run_id] = record
        path = into / (machine or machine_name(record.environment)) / committed_path(record)
        added.setdefault(path, {})[record.run_id] = content
    for path, of_path in added.items():
        num_new = add_records(path, of_path, dry_run=dry_run)
        outcome.written += [path] * num_new
        outcome.already_published += len(of_path) - num_new
    return outcome


def add_records(path: Path, records: Mapping[str, bytes], *, dry_run: bool = False) -> int:
    """Write the records, by run id, that a committed file lacks; return their number.

    Raises:
        RecordError: the file is not an archive.
    """
    if path.name.endswith(SUFFIX):
        there = read_by_run(path)
        new = {run_id: content for run_id, content in records.items() if run_id not in there}
        if new and not dry_run:
            write_archive(path, {**there, **new})
        return len(new)
    if path.exists():
        return 0
    if not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        (content,) = records.values()
        atomic_write_bytes(path, content)
    return len(records)


def strip(record: Record) -> Record:
    """Return a record without the machine's name, the log, the traceback and non-free texts."""
    environment = {name: value for name, value in record.environment.items() if name not in PRIVATE}
    error = record.error and record.error.model_copy(update={"traceback": None})
    reports: Mapping[str, Any] = record.reports
    if not (record.data or {}).get("redistributable"):
        reports = {
            split: {name: part for name, part in of_split.items() if name not in TEXT_REPORTS}
            for split, of_split in reports.items()
        }
    changes = {"environment": environment, "error": error, "log_tail": "", "reports": reports}
    return record.model_copy(update=changes)
