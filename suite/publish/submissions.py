"""Checks of submitted records for the items of the checklist.

A submission is a folder for `results/submitted/<submitter>/`, with the files that
`suite.records.published` describes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath

from suite.analysis.entry_at_length import parts_of
from suite.api import Cell, Form, Mode, Options, Status
from suite.matrix.registry import Registry
from suite.publish.checklist import ORDER, Item, Refusal
from suite.publish.plausibility import References, flags
from suite.publish.publishing import private_content, unpublishable_reason
from suite.records.archives import SUFFIX, read_archive
from suite.records.published import (
    MAX_FINAL_BYTES,
    StoredRecord,
    committed_path,
    is_final,
    max_archived_bytes,
)
from suite.records.schema import Record, RecordError, parse_record, utc_now
from suite.search.tuning_evidence import unpublished_trial

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
PACE = ("tokens_per_second", "step_seconds")
"""Two measures of one speed."""
PACE_TOLERANCE = 1.1
"""The factor by which the medians of both may differ."""


@dataclass
class CheckedRecord:
    """The result of the check of one record: accepted without a refusal. Flags ask a person.

    `place` is the file, relative to the submission. `content` is the record as JSON; None for a
    file that cannot hold records.
    """

    place: PurePosixPath
    content: bytes | None = None
    line: int | None = None
    record: Record | None = None
    refusal: Refusal | None = None
    flags: list[str] = field(default_factory=list)

    @property
    def refused(self) -> str:
        """The reason of the refusal; "" for an accepted record."""
        return self.refusal.reason if self.refusal else ""

    @property
    def name(self) -> str:
        """The file; for a record of an archive, the number of its line too."""
        return str(self.place) if self.entry is None else f"{self.place}, line {self.entry}"


@dataclass(frozen=True, slots=True)
class ItemResult:
    """The numbers of records that fail an item, and of those refused for an earlier item.

    A record fails PLAUSIBLE if it is flagged. The text is a line of a Markdown checklist.
    """

    item: Item
    failed: int
    unchecked: int

    def __str__(self) -> str:
        word = "flagged" if self.item is Item.PLAUSIBLE else "refused"
        counts = {word: self.failed, "not checked": self.unchecked}
        told = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
        return f"- [ ] {self.item} ({told})" if told else f"- [x] {self.item}"


def summarize(found: Sequence[CheckedRecord]) -> list[ItemResult]:
    """Return the result of each item of the checklist for all records of a submission."""
    refusals = [checked.refusal.item for checked in found if checked.refusal]
    flagged = sum(bool(checked.flags and not checked.refusal) for checked in found)
    return [
        ItemResult(
            item,
            flagged if item is Item.PLAUSIBLE else refusals.count(item),
            sum(ORDER[refused] < ORDER[item] for refused in refusals),
        )
        for item in Item
    ]


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
    references = References(entries)
    found = []
    for checked in _contents(path):
        found.append(checked)
        if checked.refusal:
            continue
        checked.record, checked.refusal = _read(checked, registry, whole=path.is_dir())
        record = checked.record
        if record is None or checked.refusal:
            continue
        if record.run_id in known:
            checked.refusal = Refusal(Item.NEW, "results/ has this run already")
        elif other := seen.get(record.cell_id) or seen.get(record.run_id):
            same = f"{other} has the same cell: submit one record for each cell"
            checked.refusal = Refusal(Item.NEW, same)
        else:
            seen[record.cell_id] = seen[record.run_id] = checked.name
            checked.flags = flags(record, references, registry.tasks.plugins)
    accepted = [(one, one.record) for one in found if one.record and not one.refusal]
    present = {record.run_id: record for record in (entry.record for entry in entries)}
    present |= {record.run_id: record for _, record in accepted}
    for checked, record in accepted:
        if reason := unpublished_trial(record, present):
            checked.refusal = Refusal(Item.TRIALS, reason)
    return found


def _contents(path: Path) -> Iterator[CheckedRecord]:
    """Yield each record to read; files that cannot hold records are refused unread."""
    if path.is_symlink() or not path.exists():
        yield _unreadable(path.name, "no such file or folder (links are not followed)")
        return
    root = path if path.is_dir() else path.parent
    paths = sorted(_files(path)) if path.is_dir() else [path]
    if len(paths) > MAX_FILES:
        yield _unreadable(path.name, f"it holds {len(paths)} files; the limit is {MAX_FILES}")
        return
    if not paths:
        yield _unreadable(path.name, "the folder is empty")
    for file in paths:
        place = PurePosixPath(file.relative_to(root))
        archived = file.name.endswith(SUFFIX)
        limit = MAX_ARCHIVE_FILE_BYTES if archived else MAX_FINAL_BYTES
        if file.is_symlink() or not file.is_file():
            yield _unreadable(place, "not a plain file, or in too many folders")
        elif not archived and not FILE_NAME.fullmatch(file.name):
            yield _unreadable(
                place, "the name must be as `bench publish` writes it: see docs/publish-a-result.md"
            )
        elif file.stat().st_size > limit:
            yield _unreadable(place, f"it is larger than {limit >> 10} KiB")
        elif archived:
            yield from _lines(file, place)
        else:
            yield CheckedRecord(place, file.read_bytes())


def _unreadable(place: str | PurePosixPath, reason: str) -> CheckedRecord:
    return CheckedRecord(PurePosixPath(place), refusal=Refusal(Item.FILES, reason))


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
        yield _unreadable(place, str(error))
        return
    if not lines:
        yield _unreadable(place, "the archive is empty")
    for number, line in enumerate(lines, start=1):
        # No record of an archive is larger than a file; a larger line is not parsed.
        refusal = _larger_than(MAX_FINAL_BYTES) if len(line) > MAX_FINAL_BYTES else None
        yield CheckedRecord(place, line, number, refusal=refusal)


def _larger_than(limit: int) -> Refusal:
    return Refusal(Item.FILES, f"it is larger than {limit:,} bytes")


def _read(
    checked: CheckedRecord, registry: Registry, *, whole: bool
) -> tuple[Record | None, Refusal | None]:
    """Return the record and its refusal. `whole` says whether the folder is judged too."""
    content = checked.content or b""
    if _depth(content) > MAX_DEPTH:
        return None, Refusal(Item.SCHEMA, f"it nests deeper than {MAX_DEPTH} levels")
    try:
        record = parse_record(content)
    except RecordError as error:
        return None, Refusal(Item.SCHEMA, str(error))
    limit = max_archived_bytes(record)
    if checked.line is not None and len(content) > limit:
        return record, _larger_than(limit)
    if reason := _identity(record, checked.place, whole=whole):
        return record, Refusal(Item.NAMES, reason)
    if refusal := unpublishable_reason(record, registry):
        return record, refusal
    if private := private_content(record):
        return record, Refusal(Item.PRIVATE, private)
    if reason := _contradiction(record):
        return record, Refusal(Item.CONSISTENT, reason)
    return record, None


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
    if reason := _measured_contradiction(record):
        return reason
    if is_final(record) and record.status is Status.OK:
        for name in record.metrics.get("test", ()):
            if len(parts_of(record, name)) < 2:
                return f"{name} lacks scores without parts of the test split: no interval"
    return ""


def _measured_contradiction(record: Record) -> str:
    """Return how the measurements of a record contradict each other; "" if they do not."""
    for phase, measurements in record.measurements.items():
        for name, item in measurements.items():
            if item.value is None:
                continue
            if not 0 <= item.value < ABSURD:
                return f"{phase}.{name} cannot be {item.value:g}"
            slack = 1e-6 * item.value
            if item.samples and not (
                min(item.samples) - slack <= item.value <= max(item.samples) + slack
            ):
                return f"{phase}.{name} lies outside the range of its samples"
        tokens, seconds = (record.measured(phase, name) for name in PACE)
        expected = _tokens_of_step(record.cell, phase)
        if tokens is None or seconds is None or expected is None:
            continue
        if not 1 / PACE_TOLERANCE < tokens * seconds / expected < PACE_TOLERANCE:
            return (
                f"{phase}: {tokens:g} tokens per second and {seconds:g} s a step "
                f"contradict {expected} tokens a step"
            )
    return ""


def _tokens_of_step(cell: Cell, phase: str) -> int | None:
    """Return the tokens of a step of a probe or a decoding; None where data decides."""
    if cell.mode is Mode.TRAIN or cell.form is Form.ENCODER_DECODER:
        return None
    return cell.batch_size * (1 if phase == "generation" else cell.sequence_length)


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
