"""Checks of submitted records: reasons for refusal, and flags on implausible scores.

A submission is a folder for `results/submitted/<submitter>/`, with the files that
`suite.records.published` describes.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from suite.analysis.aggregate import compare, parts_of
from suite.analysis.tuning_evidence import unpublished_trial
from suite.api import Options, Status, Task
from suite.matrix.registry import Registry
from suite.publish.frozen import outside_its_parts
from suite.publish.publishing import private_content, unpublishable_reason
from suite.records.archives import SUFFIX, read_archive
from suite.records.naming import options_text
from suite.records.published import (
    MAX_FINAL_BYTES,
    Folder,
    StoredRecord,
    committed_path,
    is_final,
    max_archived_bytes,
    read_record,
)
from suite.records.schema import Record, RecordError, RecordSummary, parse_record, utc_now

MAX_FILES = 2_000
MAX_ARCHIVE_FILE_BYTES = 2**22
"""The limit of a compressed archive."""
MAX_FOLDERS = 2
"""Files lie that many folders deep at most."""
MAX_DEPTH = 24
FILE_NAME = re.compile(r"[A-Za-z0-9_]+-\d+-seed-\d+\.\d{8}T\d{6,}Z-[0-9a-f]{6}\.json")
NAME = re.compile(r"[A-Za-z0-9][\w.+:/ -]{0,79}")
CLOCK_TOLERANCE = timedelta(days=1)
SHARES = ("accuracy", "f1", "roc_auc", "precision", "recall", "share")
"""Name endings of metrics that lie between 0 and 1."""
ABSURD = 1e30
"""The limit of plausible scores and costs. Sums with larger numbers would lose precision."""
TOO_GOOD = 4.0
"""A score is flagged that many standard deviations of the references beyond the best reference."""
MIN_REFERENCES = 3


@dataclass
class CheckedRecord:
    """The result of the check of one record: accepted if `refused` is empty. Flags ask a person.

    `place` is the file, relative to the submission. `content` is the record as JSON; None for a
    file that cannot hold records.
    """

    place: PurePosixPath
    content: bytes | None = None
    line: int | None = None
    record: Record | None = None
    refused: str = ""
    flags: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The file; for a record of an archive, the number of its line too."""
        return str(self.place) if self.line is None else f"{self.place}, line {self.line}"


def check_submission(
    path: Path,
    entries: Sequence[StoredRecord],
    registry: Registry,
) -> list[CheckedRecord]:
    """Check a file, or every file of a folder, against the records in `entries`.

    The trials behind a tuned learning rate must be in the submission or in `entries`.
    """
    known = {entry.record.run_id for entry in entries}
    seen: dict[str, str] = {}
    found = []
    for checked in _contents(path):
        found.append(checked)
        if checked.refused:
            continue
        checked.record, checked.refused = _read(checked, registry, whole=path.is_dir())
        record = checked.record
        if record is None or checked.refused:
            continue
        if record.run_id in known:
            checked.refused = "results/ has this run already"
        elif other := seen.get(record.cell_id) or seen.get(record.run_id):
            checked.refused = f"{other} has the same cell: submit one record for each cell"
        else:
            seen[record.cell_id] = seen[record.run_id] = checked.name
            checked.flags = flags(record, entries, registry.tasks.plugins)
    accepted = [(one, one.record) for one in found if one.record and not one.refused]
    present = {record.run_id: record for record in (entry.record for entry in entries)}
    present |= {record.run_id: record for _, record in accepted}
    for checked, record in accepted:
        checked.refused = unpublished_trial(record, present) or ""
    return found


def flags(record: Record, entries: Iterable[StoredRecord], tasks: Mapping[str, Task]) -> list[str]:
    """Return in which respects a final run is implausibly good, compared with the references."""
    task = tasks.get(record.cell.task or "")
    if not is_final(record) or record.status is not Status.OK:
        return []
    if task is None:
        return [f"the task {record.cell.task} is unknown here"]
    metric = task.primary_metric
    sign = 1 if metric.higher_is_better else -1
    place = _place(record)
    references = [
        run
        for comparison in compare(entries)
        for point in comparison.points
        for run in point.runs
        if run.folder is Folder.PUBLISHED
        and run.record.status is Status.OK
        and _place(run.record) == place
    ]
    summaries = [entry.record for entry in references]
    values = [sign * value for r in summaries if (value := r.metric(metric.name)) is not None]
    value = record.metric(metric.name)
    if value is None:
        return [f"the test split has no {metric.name}"]
    found = [outside] if (outside := outside_its_parts(record, metric.name)) else []
    if len(values) < MIN_REFERENCES:
        few = f"{len(values)} references on this data and length: too few to compare with"
        return [*found, few]
    parts = parts_of(record, metric.name)
    counts = {len(parts_of(r, metric.name)) for r in summaries} - {0}
    if counts and len(parts) not in counts:
        found.append(f"the test split has {len(parts)} parts, that of the references {max(counts)}")
    spread = statistics.stdev(values)
    if sign * value > max(values) + TOO_GOOD * spread:
        found.append(
            f"test {metric.name} {value:.4g} lies more than {TOO_GOOD:g} standard deviations "
            f"beyond the best reference, {sign * max(values):.4g}"
        )
    name = f"validation_{metric.name}"
    curve = record.curves.get(name)
    # A summary has no curves, so the references' files are read.
    curves = [read_record(entry.address).curves.get(name) for entry in references]
    ends = [
        sign * of_reference.values[-1]
        for of_reference in curves
        if of_reference and of_reference.values[-1] is not None
    ]
    if curve is None:
        found.append("it has no validation curve")
    elif len(curve.values) > 1 and curve.values[0] is not None and ends:
        share = curve.tokens[0] / curve.tokens[-1]
        if sign * curve.values[0] > max(ends):
            found.append(
                f"after {share:.0%} of its budget it is better than every reference at its end"
            )
    return found


def _place(record: RecordSummary) -> tuple[Any, ...]:
    """Return the task, its options, the data and the length: comparable curves share them."""
    cell, options = record.cell, options_text(record.ranking.task_options)
    return cell.task, options, record.fingerprint, cell.sequence_length


def _contents(path: Path) -> Iterator[CheckedRecord]:
    """Yield each record to read; files that cannot hold records are refused unread."""
    if path.is_symlink() or not path.exists():
        place = PurePosixPath(path.name)
        yield CheckedRecord(place, refused="no such file or folder (links are not followed)")
        return
    root = path if path.is_dir() else path.parent
    paths = sorted(_files(path)) if path.is_dir() else [path]
    if len(paths) > MAX_FILES:
        place = PurePosixPath(path.name)
        yield CheckedRecord(place, refused=f"it holds {len(paths)} files; the limit is {MAX_FILES}")
        return
    if not paths:
        yield CheckedRecord(PurePosixPath(path.name), refused="the folder is empty")
    for file in paths:
        place = PurePosixPath(file.relative_to(root))
        archived = file.name.endswith(SUFFIX)
        limit = MAX_ARCHIVE_FILE_BYTES if archived else MAX_FINAL_BYTES
        if file.is_symlink() or not file.is_file():
            yield CheckedRecord(place, refused="not a plain file, or in too many folders")
        elif not archived and not FILE_NAME.fullmatch(file.name):
            yield CheckedRecord(
                place,
                refused="the name must be as `bench publish` writes it: see results/README.md",
            )
        elif file.stat().st_size > limit:
            yield CheckedRecord(place, refused=f"it is larger than {limit >> 10} KiB")
        elif archived:
            yield from _lines(file, place)
        else:
            yield CheckedRecord(place, file.read_bytes())


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield each file and link, and each folder that is too deep. Links are not followed."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and depth < MAX_FOLDERS:
            yield from _files(path, depth + 1)
        else:
            yield path


def _lines(file: Path, place: PurePosixPath) -> Iterator[CheckedRecord]:
    """Yield each record of an archive."""
    try:
        lines = read_archive(file)
    except RecordError as error:
        yield CheckedRecord(place, refused=str(error))
        return
    if not lines:
        yield CheckedRecord(place, refused="the archive is empty")
    for number, line in enumerate(lines, start=1):
        # No record of an archive is larger than a file; a larger line is not parsed.
        large = _larger_than(MAX_FINAL_BYTES) if len(line) > MAX_FINAL_BYTES else ""
        yield CheckedRecord(place, line, number, refused=large)


def _larger_than(limit: int) -> str:
    return f"it is larger than {limit:,} bytes"


def _read(checked: CheckedRecord, registry: Registry, *, whole: bool) -> tuple[Record | None, str]:
    """Return the record and why it is refused. `whole` says whether the folder is judged too."""
    content = checked.content or b""
    if _depth(content) > MAX_DEPTH:
        return None, f"it nests deeper than {MAX_DEPTH} levels"
    try:
        record = parse_record(content)
    except RecordError as error:
        return None, str(error)
    limit = max_archived_bytes(record)
    reasons = (
        _larger_than(limit) if checked.line is not None and len(content) > limit else "",
        _identity(record, checked.place, whole=whole),
        unpublishable_reason(record, registry),
        private_content(record),
        _contradiction(record),
    )
    return record, next((reason for reason in reasons if reason), "")


def _depth(content: bytes) -> int:
    """Return the depth of nested brackets outside strings, without parsing the JSON."""
    depth = deepest = 0
    for bracket in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', content):
        if bracket in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in (b"]", b"}"):
            depth -= 1
    return deepest


def _identity(record: Record, place: PurePosixPath, *, whole: bool) -> str:
    """Return how the record contradicts its place, or has an invalid name; "" if it does not."""
    cell, expected = record.cell, committed_path(record)
    if place != (expected if whole else PurePosixPath(expected.name)):
        return f"a record of this cell and run belongs in {str(expected)!r:.200}"
    if record.cell_id != cell.id:
        return "its cell_id is not the hash of its cell"
    names = [cell.task, cell.source, cell.architecture, cell.model_size, cell.precision,
             cell.backend, *cell.options, *_values(cell.options), *record.variants,
             *(name for _, name, _ in _scores(record))]  # fmt: skip
    for method in cell.methods:
        names += [method.name, *method.options, *_values(method.options)]
    # A condition is named as an option with its value.
    names += [part for name in record.conditions for part in name.split("=", 1)]
    for name in names:
        if name is not None and not NAME.fullmatch(name):
            return f"{name[:40]!r} is not a valid name"
    return ""


def _values(options: Options) -> Iterator[str]:
    """Yield the values of options as text, and the items of lists one by one."""
    for value in options.values():
        yield from map(str, value if isinstance(value, list) else [value])


def _contradiction(record: Record) -> str:
    """Return how the record contradicts itself or the clock; "" if it does not."""
    if not record.started_at <= record.ended_at <= utc_now() + CLOCK_TOLERANCE:
        return "it ends before it starts, or in the future"
    elapsed = (record.ended_at - record.started_at).total_seconds()
    if record.worker_seconds is not None and not 0 <= record.worker_seconds <= elapsed + 5:
        return f"its worker took {record.worker_seconds:g} s of {elapsed:g} s"
    if (record.status is Status.OK) == (record.error is not None):
        return f"its status {record.status} contradicts its error"
    for split, name, value in _scores(record):
        if not abs(value) < ABSURD or (name.endswith(SHARES) and not 0 <= value <= 1):
            return f"{split} {name} cannot be {value:g}"
    for phase, measurements in record.measurements.items():
        for name, item in measurements.items():
            if item.value is None or not item.samples:
                continue
            slack = 1e-6 * abs(item.value)
            if not min(item.samples) - slack <= item.value <= max(item.samples) + slack:
                return f"{phase}.{name} lies outside the range of its samples"
            if not 0 <= item.value < ABSURD:
                return f"{phase}.{name} cannot be {item.value:g}"
    if is_final(record) and record.status is Status.OK:
        for name in record.metrics.get("test", ()):
            if len(parts_of(record, name)) < 2:
                return f"{name} lacks scores without parts of the test split: no interval"
    return ""


def _scores(record: Record) -> Iterator[tuple[str, str, float]]:
    """Yield the split, the metric and the value of every score.

    Scores without a part of a split, of variants and under conditions are among them.
    """
    groups: list[tuple[str, Mapping[str, Mapping[str, float | None]]]] = [("", record.metrics)]
    groups += [(f" of the {name} variant", one.metrics) for name, one in record.variants.items()]
    groups += [(f" under {name}", metrics) for name, metrics in record.conditions.items()]
    for what, by_split in groups:
        for split, metrics in by_split.items():
            for name, value in metrics.items():
                if value is not None:
                    yield f"{split}{what}", name, value
    for split, report in record.reports.items():
        for name, values in report.get("without_part", {}).items():
            yield from (
                (f"{split} without a part", name, value) for value in values if value is not None
            )
