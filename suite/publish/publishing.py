"""Publication: local records are checked, stripped, reduced and written to `results/published/`.

A published record has the same schema as a local one. `suite.records.published` describes the
folders, and `suite.publish.reduction` what a published record keeps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.api import PROTOCOL, Mode, Status, Track
from suite.api.errors import RequestError
from suite.api.files import RESULTS, atomic_write_bytes
from suite.matrix.registry import Collection, Registry
from suite.publish.checklist import Item, Refusal
from suite.publish.frozen import benchmark_contradiction
from suite.publish.reduction import TooLargeError, reduced
from suite.records.archives import SUFFIX, read_by_run, write_archive
from suite.records.environment import MAX_MACHINE_NAME, commit_of, machine_name
from suite.records.published import committed_path, read_published
from suite.records.schema import Record, RecordSummary
from suite.records.store import ReportUnreadable, Store, ignore_unreadable
from suite.search.tuning_evidence import unpublished_trial

PUBLISHED = RESULTS / "published"
MACHINE_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{1,{MAX_MACHINE_NAME - 1}}}")
UNFINISHED = {Status.INTERRUPTED, Status.FAILED}
OWN_PATH = re.compile(
    r"(?<![\w.:/])(?!/(?:proc|sys|dev|device)\b)(?:~|/[\w.+-]+)(?:/[\w.+-]+)+|\b[A-Za-z]:\\"
)
"""A path of a user's machine. Paths of the system, which the methods name, reveal nothing."""
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
TEXT_REPORTS = ("examples", "occlusion", "samples")
"""The reports that contain or picture texts of the data."""
PRIVATE = ("host_name", "operating_system")
"""The fields of the environment that identify a user's machine and explain no figure."""


@dataclass
class PublishResult:
    """The file of each record that was written, the number already there, and the refusals."""

    written: list[Path] = field(default_factory=list)
    already_published: int = 0
    refused: list[tuple[Record, str]] = field(default_factory=list)


def publish(
    store: Store,
    machine: str | None = None,
    into: Path = PUBLISHED,
    *,
    registry: Registry,
    dry_run: bool = False,
    report_unreadable: ReportUnreadable = ignore_unreadable,
) -> PublishResult:
    """Copy the valid record of each cell that passes the checks.

    Records of an archive are added to those that it has already. The trials behind a tuned
    learning rate must be committed, or be published with the final run.

    Args:
        store: the home with the records.
        machine: the name of the folder; by default each record's own machine.
        into: the folder of the machines' folders.
        registry: the tasks, architectures and benchmarks that the records are checked against.
        dry_run: whether nothing is written.
        report_unreadable: receives each unreadable file of the home.

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
    records = sorted(store.current(report_unreadable=report_unreadable), key=_trials_first)
    known: dict[str, RecordSummary] = {
        stored.record.run_id: stored.record for stored in read_published(into.parent)
    }
    published = set(known)
    for record in records:
        stripped = strip(record)
        reason = (
            unpublishable_reason(record, registry)
            or private_content(stripped)
            or unpublished_trial(record, known)
        )
        if reason and record.run_id in published:  # a former version of its benchmark, say
            outcome.already_published += 1
            continue
        if reason:
            outcome.refused.append((record, str(reason)))
            continue
        try:
            content = reduced(stripped)
        except TooLargeError as error:
            outcome.refused.append((record, str(error)))
            continue
        known[record.run_id] = record
        path = into / (machine or machine_name(record.environment)) / committed_path(record)
        added.setdefault(path, {})[record.run_id] = content
    for path, of_path in added.items():
        num_new = add_records(path, of_path, dry_run=dry_run)
        outcome.written += [path] * num_new
        outcome.already_published += len(of_path) - num_new
    return outcome


def _trials_first(record: Record) -> tuple[bool, str]:
    return record.ranking.tuning is not None, record.run_id


def add_records(path: Path, records: Mapping[str, bytes], *, dry_run: bool = False) -> int:
    """Write the records, by run id, that a committed file lacks; return their number.

    A file that has all of them is not written again.
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


def unpublishable_reason(record: Record, registry: Registry) -> Refusal | None:
    """Return why a record cannot be published; None if it can."""
    return next(_refusals(record, registry), None)


def _refusals(record: Record, registry: Registry) -> Iterator[Refusal]:
    """Yield each reason why a record cannot be published, in the order of the checklist."""
    environment = record.environment
    if record.protocol != PROTOCOL:
        told = f"protocol {record.protocol} instead of {PROTOCOL}: run the cell again"
        yield Refusal(Item.PROTOCOL, told)
    if newer := _newer_version(record, registry):
        yield Refusal(Item.PROTOCOL, newer)
    if record.status in UNFINISHED:
        told = f"status {record.status}: run the cell again with --retry {record.status}"
        yield Refusal(Item.FINISHED, told)
    if commit_of(environment) is None:
        yield Refusal(Item.COMMIT, "the commit of the code is unknown")
    if environment.get("dirty") is None:
        told = "it is unknown whether the code had uncommitted changes: run the cell again"
        yield Refusal(Item.COMMIT, told)
    elif environment["dirty"] is not False:
        told = "the code had uncommitted changes: commit them and run the cell again"
        yield Refusal(Item.COMMIT, told)
    if record.cell.mode is Mode.TRAIN and record.status is Status.OK:
        if not record.fingerprint:
            yield Refusal(Item.SCORES, "the training data has no fingerprint")
        split = "test" if record.cell.scores_test else "validation"
        if not record.metrics.get(split):
            yield Refusal(Item.SCORES, f"no score on the {split} split")
        if not record.cell.scores_test and record.metrics.get("test"):
            told = "a score on the test split, which only final runs and --test may read"
            yield Refusal(Item.SCORES, told)
    if reason := benchmark_contradiction(record, registry):
        yield Refusal(Item.BENCHMARK, reason)
    standard = record.ranking.ranked and record.ranking.track == Track.STANDARD
    if standard and record.status is Status.OK and record.conformance is None:
        name = record.cell.architecture
        told = f"the conformance kit did not check {name}: `bench check {name}`, then run it again"
        yield Refusal(Item.CONFORMANCE, told)
    if record.cell.mode is not Mode.TRAIN and (noisy := record.details.get("noisy")):
        phases = " and ".join(noisy)
        told = f"other processes used the machine while {phases} was measured"
        yield Refusal(Item.QUIET, f"{told}: run the cell again with --retry noisy")


def _newer_version(record: Record, registry: Registry) -> str | None:
    """Return which of a record's task, architecture and methods is newer than here, if any.

    A newer version would supersede all records of the present one.
    """
    cell = record.cell
    stated: list[tuple[Collection[Any], str | None, int | None]] = [
        (registry.tasks, cell.task, cell.task_version),
        (registry.architectures, cell.architecture, cell.architecture_version),
        *((registry.methods, method.name, method.version) for method in cell.methods),
    ]
    for collection, name, version in stated:
        plugin = collection.plugins.get(name or "")
        if plugin is not None and (version or 0) > plugin.version:
            return f"the {collection.word} {name} has version {version}, but {plugin.version} here"
    return None


def private_content(record: Record) -> str | None:
    """Return what private content a record still has; None if it has none."""
    if any(record.environment.get(name) for name in PRIVATE) or record.log_tail:
        return "it has the machine's name or the log, which `bench publish` removes"
    for text in _texts(_without_maps(json.loads(record.to_json()))):
        if CONTROL.search(text):
            return f"{text[:40]!r} has control characters"
        if found := OWN_PATH.search(text):
            return f"it holds a path of a user's machine: {found.group()[:40]!r}"
    return None


def _without_maps(content: dict[str, Any]) -> dict[str, Any]:
    """Return a record's content without occlusion maps: base64, where "+/f+/f76" is no path."""
    for report in content["reports"].values():
        occlusion = report.get("occlusion")
        if isinstance(occlusion, dict) and BASE64.fullmatch(str(occlusion.get("map"))):
            report["occlusion"] = {**occlusion, "map": ""}
    return content


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


def _texts(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
