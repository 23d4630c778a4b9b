"""The checks of published records: one set for `bench publish`, submissions and `make check`.

`find_problem` checks one record, `check_files` the files of a submission, and `check_tree` and
`check_finals` all that is published. `suite.publish.frozen` compares a record with its benchmark.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from suite.analysis.entry_at_length import parts_of
from suite.api import PROTOCOL, Cell, Mode, Status, Track
from suite.api.errors import RequestError
from suite.api.files import RESULTS
from suite.matrix.registry import PluginSet, Registry
from suite.publish.frozen import Expanded, benchmark_contradiction
from suite.records.environment import commit_of
from suite.records.naming import split_label
from suite.records.published import (
    MAX_FINAL_BYTES,
    MAX_TREE_BYTES,
    PUBLISHED,
    SUFFIX,
    StoredRecord,
    committed_path,
    is_final,
    max_archived_bytes,
    published_files,
    read_archive,
    read_published,
)
from suite.records.schema import (
    Read,
    Record,
    RecordError,
    RecordSummary,
    parse_record,
    parse_summary,
)
from suite.search.tuning_evidence import unpublished_trial

UNFINISHED = {Status.INTERRUPTED, Status.FAILED}
OWN_PATH = re.compile(
    r"(?<![\w.:/])(?!/(?:proc|sys|dev|device)\b)(?:~|/[\w.+-]+)(?:/[\w.+-]+)+|\b[A-Za-z]:\\"
)
"""A path of a user's machine. Paths of the system, which the methods name, reveal nothing."""
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
MAX_NAME = 255
"""The longest name of a file."""
PRIVATE = ("host_name", "operating_system")
"""The fields of the environment that identify a user's machine and explain no figure."""


def find_problem(record: Record, registry: Registry) -> str | None:
    """Return why a record, as it is written, cannot be published; None if it can."""
    return next(_problems(record, registry), None)


def _problems(record: Record, registry: Registry) -> Iterator[str]:
    environment = record.environment
    if record.protocol != PROTOCOL:
        yield f"protocol {record.protocol} instead of {PROTOCOL}: run the cell again"
    for plugin, version, here in _versions(record.cell, registry):
        if here is not None and version > here:  # all records of this version would be superseded
            yield f"the {plugin} has version {version}, but {here} here"
    if record.status in UNFINISHED:
        yield f"status {record.status}: run the cell again with --retry {record.status}"
    if commit_of(environment) is None:
        yield "the commit of the code is unknown"
    if environment.get("dirty") is None:
        yield "it is unknown whether the code had uncommitted changes: run the cell again"
    elif environment["dirty"] is not False:
        yield "the code had uncommitted changes: commit them and run the cell again"
    if record.cell.mode is Mode.TRAIN and record.status is Status.OK:
        if not record.fingerprint:
            yield "the training data has no fingerprint"
        split = "test" if record.cell.scores_test else "validation"
        if not record.metrics.get(split):
            yield f"no score on the {split} split"
        if not record.cell.scores_test and record.metrics.get("test"):
            yield "a score on the test split, which only final runs and --test may read"
    if reason := benchmark_contradiction(record, registry) or _outside_its_parts(record):
        yield reason
    standard = record.ranking.ranked and record.ranking.track == Track.STANDARD
    if standard and record.status is Status.OK and record.conformance is None:
        name = record.cell.architecture
        yield f"the conformance kit did not check {name}: `bench check {name}`, then run it again"
    if record.cell.mode is not Mode.TRAIN and (noisy := record.details.get("noisy")):
        phases = " and ".join(noisy)
        told = f"other processes used the machine while {phases} was measured"
        yield f"{told}: run the cell again with --retry noisy"
    yield from _unprintable(record)


def _versions(cell: Cell, registry: Registry) -> list[tuple[str, int, int | None]]:
    """Return the task, the architecture and the methods of a cell, each with two versions.

    They are that of the cell and that of this checkout, which may not have the plug-in.
    """
    stated: list[tuple[PluginSet[Any], str | None, int | None]] = [
        (registry.tasks, cell.task, cell.task_version),
        (registry.architectures, cell.architecture, cell.architecture_version),
        *((registry.methods, method.name, method.version) for method in cell.methods),
    ]
    versions = []
    for collection, name, version in stated:
        plugin = collection.plugins.get(name or "")
        here = plugin.version if plugin else None
        versions.append((f"{collection.word} {name}", version or 0, here))
    return versions


def _outside_its_parts(record: RecordSummary) -> str | None:
    """Return that a final score lies outside the range of its parts; None where it does not."""
    name = record.ranking.metric or ""
    value = record.metric(name) if is_final(record) else None
    known = [part for part in parts_of(record, name) if part is not None]
    if value is None or not known:
        return None
    slack = 1e-6 * abs(value)
    if min(known) - slack <= value <= max(known) + slack:
        return None
    return f"test {name} {value:.4g} lies outside the range of its parts"


def _unprintable(record: Record) -> Iterator[str]:
    """Yield what a record holds that no published record may hold: private texts, odd numbers."""
    if long := [part for part in committed_path(record).parts if len(part) > MAX_NAME]:
        yield f"the name of its file would have {len(long[0]):,} characters: {long[0][:40]}…"
    if any(record.environment.get(name) for name in PRIVATE) or record.log_tail:
        yield "it has the machine's name or the log, which `bench publish` removes"
    for value in _values(_without_maps(record.model_dump())):
        if isinstance(value, float) and not math.isfinite(value):
            yield f"it holds the number {value}: each figure is finite, or null"
        elif not isinstance(value, str):
            continue
        elif CONTROL.search(value):
            yield f"{value[:40]!r} has control characters"
        elif path := OWN_PATH.search(value):
            yield f"it holds a path of a user's machine: {path.group()[:40]!r}"


def _without_maps(content: dict[str, Any]) -> dict[str, Any]:
    """Return a record's content without occlusion maps: base64, where "+/f+/f76" is no path."""
    for report in content["reports"].values():
        occlusion = report.get("occlusion")
        if isinstance(occlusion, dict) and BASE64.fullmatch(str(occlusion.get("map"))):
            report["occlusion"] = {**occlusion, "map": ""}
    return content


def _values(content: Any) -> Iterator[Any]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield name
            yield from _values(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _values(value)
    else:
        yield content


def check_files(
    paths: Sequence[Path], registry: Registry, results: Path = RESULTS
) -> list[tuple[str, str | None]]:
    """Return each record in published files or folders, and why `bench publish` would refuse it.

    Raises:
        RequestError: the paths hold no published file.
        RecordError: a published file is not a record or an archive.
    """
    paths, results = [path.resolve() for path in paths], results.resolve()
    stored = read_published(results)
    published = {one.record.run_id: one.record for one in stored}
    times = Counter(one.record.run_id for one in stored)
    checked: list[tuple[str, str | None]] = []
    for machine, file in published_files(results):
        if any(file.is_relative_to(path) for path in paths):
            for record, misplaced in _records_of(results, machine, file, parse_record):
                reason = misplaced or find_problem(record, registry)
                reason = reason or unpublished_trial(record, published)
                if times[record.run_id] > 1:
                    reason = "another published record has the id of its run"
                checked.append((f"{file.name}, run {record.run_id}", reason))
    if not checked:
        raise RequestError(
            "A submission is files in results/published",
            received=", ".join(map(str, paths)),
            remedy="Write them with `bench publish`, and name their file or folder",
        )
    return checked


def _records_of(
    results: Path, machine: str, path: Path, parse: Callable[[bytes], Read]
) -> Iterator[tuple[Read, str | None]]:
    """Yield each record of a published file, and what is wrong with its size or its place."""
    place = PurePosixPath(path.relative_to(results / PUBLISHED / machine))
    archived = path.name.endswith(SUFFIX)
    try:
        for content in read_archive(path) if archived else [path.read_bytes()]:
            record, reason = parse(content), None
            limit = max_archived_bytes(record) if archived else MAX_FINAL_BYTES
            if len(content) > limit:
                reason = f"it has {len(content):,} bytes, and may have at most {limit:,} bytes here"
            elif (belongs := committed_path(record)) != place:
                reason = f"it belongs in {PUBLISHED}/{machine}/{belongs}"
            yield record, reason
    except RecordError as error:
        raise RecordError(f"results/{path.relative_to(results)}: {error}") from None


def check_tree(results: Path = RESULTS) -> None:
    """Check the place, the size and the evidence of each published record, and the size of all.

    Raises:
        RequestError: a limit is exceeded, a file is at another place than its records belong, or a
            trial of a tuned learning rate is missing.
        RecordError: a file is not a record or an archive.
    """
    sizes: dict[str, int] = {}
    published: dict[str, RecordSummary] = {}
    for machine, path in published_files(results):
        named = f"results/{path.relative_to(results)}"
        sizes[named] = path.stat().st_size
        for record, reason in _records_of(results, machine, path, parse_summary):
            if record.run_id in published:
                reason = "another record has the id of its run"
            published[record.run_id] = record
            if reason:
                raise RequestError(
                    "A published record must have its size and its place",
                    received=f"{named}, run {record.run_id}: {reason}",
                    remedy="Remove the record, and publish it again with `bench publish`",
                )
    for record in published.values():
        if reason := unpublished_trial(record, published):
            raise RequestError(
                "The trials behind a tuned learning rate are committed too",
                received=f"{committed_path(record)}: {reason}",
                remedy="Publish the trials with `bench publish`, or remove the record",
            )
    if (total := sum(sizes.values())) > MAX_TREE_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise RequestError(
            f"All committed records together have at most {MAX_TREE_BYTES:,} bytes",
            received=f"{total:,} bytes, {sizes[largest]:,} of them in {largest}",
            remedy="Remove records of earlier protocols, and name their last commit in CHANGES.md",
        )


def check_finals(entries: Iterable[StoredRecord], registry: Registry) -> None:
    """Check the committed final runs of each benchmark's current version.

    Runs of former versions of a benchmark, a task, an architecture or a method are not checked.

    Raises:
        RequestError: a run contradicts its benchmark, or its score does not follow from its parts.
        PluginError: the file of a run's benchmark cannot be used.
    """
    expanded: Expanded = {}
    for record in (entry.record for entry in entries if is_final(entry.record)):
        cell = record.cell
        name, _ = split_label(str(cell.benchmark))
        if name not in {**registry.benchmarks.plugins, **registry.benchmarks.broken}:
            continue
        if cell.benchmark != registry.benchmarks.get(name).label_of(cell.task):
            continue
        task, architecture, *methods = _versions(cell, registry)
        known = [task, architecture, *(one for one in methods if one[2] is not None)]
        if any(version != here for _, version, here in known):
            continue
        reason = benchmark_contradiction(record, registry, expanded)
        if reason := reason or _outside_its_parts(record):
            raise RequestError(
                "A published final run must agree with its benchmark and with its own parts",
                received=f"{committed_path(record)}, run {record.run_id}: {reason}",
                remedy="Restore the record as it was published, or remove it",
            )
