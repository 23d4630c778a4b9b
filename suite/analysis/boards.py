"""Published records → boards: comparable groups, ranked rows. Nothing is hidden.

Three folders of `results/` hold records: `published/<machine>/` are the project's own,
`submitted/<who>/` came from others, and `verified/<machine>/` ran a submitted cell again.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import Path

from suite.analysis.grouping import (
    ComparisonKey,
    group,
    place_of_most,
    rules_in_force,
    rules_of,
    setting_of,
)
from suite.analysis.ranking import Difference, Ranked, Scores, rank
from suite.analysis.statistics import Estimate, exponential
from suite.api import PROTOCOL, Metric, Mode, Status, Task
from suite.api.files import CHECKOUT
from suite.records.environment import machine_name
from suite.records.schema import RecordError, RecordSummary, parse_summary

RESULTS = CHECKOUT / "results"
COSTS = {
    "training.tokens_per_second": Metric("training.tokens_per_second"),
    "training.peak_memory_bytes": Metric("training.peak_memory_bytes", higher_is_better=False),
    "inference.tokens_per_second": Metric("inference.tokens_per_second"),
    "inference.peak_memory_bytes": Metric("inference.peak_memory_bytes", higher_is_better=False),
}
"""What probes are ranked by, on one machine."""
RANKED_FROM = 3
"""How many seeds, or rounds of a probe, a line must have to be ranked: those of `standard`."""
TOO_NOISY = "varies too much to be told from the best of its rank"
TOLERANCE = 0.02
"""A score is reproduced where another machine comes within this share of it, or within the interval
of the row's seeds where that is wider."""


class Tier(StrEnum):
    """How far a row may be trusted."""

    LOCAL = "local"
    REFERENCE = "reference"
    REPRODUCED = "reproduced"
    SELF_REPORTED = "self-reported"


class Folder(StrEnum):
    """Where a record stands: at home, or in one of the folders that are committed."""

    LOCAL = "local"
    PUBLISHED = "published"
    SUBMITTED = "submitted"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, the folder it stands in, and whose: the machine's name or the submitter's.

    `path` is its file: of the record, only what comparing needs is kept in memory.
    """

    record: RecordSummary
    folder: Folder
    owner: str
    path: Path

    @property
    def machine(self) -> str:
        """Return the name of the machine it ran on."""
        if self.folder is Folder.SUBMITTED:
            return machine_name(self.record.environment)
        return self.owner


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a board: an architecture with its options, its repeats pooled.

    `rank` is None where it cannot be ranked, and `note` says why. `behind` is the difference to
    the leader of its rank, of costs the logarithm of their ratio. Costs are medians over what was
    measured undisturbed.
    """

    line: str
    architecture: str
    tier: Tier
    rank: int | None
    estimate: Estimate | None
    behind: Difference | None
    seeds: Sequence[int]
    note: str
    parameter_count: int | None
    training_tokens_per_second: float | None
    training_peak_memory_bytes: float | None
    worker_seconds: float | None
    measured_on: date
    versions: str
    commits: Sequence[str]
    machines: Sequence[str]
    run_ids: Sequence[str]
    superseded_by: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """Rows that may be ranked together: one setting, one length, one measure."""

    setting: ComparisonKey
    sequence_length: int
    batch_size: int
    metric: Metric
    rows: Sequence[Row]


def read_published(results: Path = RESULTS, leaving_out: Path | None = None) -> list[Entry]:
    """Read all records that are committed, but for a file or folder, in the order of their names.

    Raises:
        RecordError: a file is no record; its name is in the message.
    """
    entries = []
    for folder in (Folder.PUBLISHED, Folder.SUBMITTED, Folder.VERIFIED):
        for path in sorted((results / folder).glob("*/*.json")):
            if leaving_out in (path, path.parent):
                continue
            try:
                record = parse_summary(path.read_bytes())
            except RecordError as error:
                raise RecordError(f"{path.relative_to(results)}: {error}") from None
            entries.append(Entry(record, folder, path.parent.name, path))
    return entries


def comparisons(
    entries: Iterable[Entry], tasks: Mapping[str, Task]
) -> dict[ComparisonKey, list[Entry]]:
    """Put together what may be compared: quality of all machines, cost machine by machine.

    Older protocols come along, as what later records supersede.
    """

    def setting(entry: Entry) -> ComparisonKey:
        if entry.record.cell.mode is Mode.TRAIN:
            return setting_of(entry.record, tasks, protocol=0, threads=0)
        return setting_of(entry.record, tasks, protocol=0, machine=entry.machine)

    present = [entry for entry in entries if entry.folder is not Folder.VERIFIED]
    return group(present, setting, lambda entry: entry.record.cell)


def make_boards(entries: Sequence[Entry], tasks: Mapping[str, Task]) -> list[Board]:
    """Rank what may be ranked, at each length and batch.

    What is unsupported has no row: it is no result, and `bench list` tells it.
    """
    verified = [
        entry.record for entry in entries if entry.folder in (Folder.VERIFIED, Folder.PUBLISHED)
    ]
    boards = []
    for setting, of_setting in comparisons(entries, tasks).items():
        ran = [entry for entry in of_setting if entry.record.status is not Status.UNSUPPORTED]
        for (length, batch_size), point in _by_point(ran).items():
            for metric in _metrics(setting, tasks):
                rows = _rows(point, metric, tasks, verified)
                if any(row.estimate for row in rows):
                    boards.append(Board(setting, length, batch_size, metric, rows))
    return boards


def standing(entries: Iterable[Entry], tasks: Mapping[str, Task]) -> list[Entry]:
    """Leave out of one comparison what later runs and versions supersede."""
    return [
        entry
        for point in _by_point(entries).values()
        for line in _lines(point, tasks).values()
        for entry in line.entries.values()
    ]


def _by_point(entries: Iterable[Entry]) -> dict[tuple[int, int], list[Entry]]:
    """Put entries together by length and batch, the shortest first."""
    points: dict[tuple[int, int], list[Entry]] = {}
    for entry in entries:
        cell = entry.record.cell
        points.setdefault((cell.sequence_length, cell.batch_size), []).append(entry)
    return dict(sorted(points.items()))


def figure(record: RecordSummary, measure: str) -> float | None:
    """Return what a record has of a measure: `phase.name`, or a metric of test."""
    phase, dot, name = measure.partition(".")
    return record.measured(phase, name) if dot else record.metric(measure)


def newest_rules(records: Iterable[RecordSummary], tasks: Mapping[str, Task]) -> tuple[int, int]:
    """Return the protocol and task version that records of one comparison are to have."""
    return max(max(rules_of(record), rules_in_force(record.cell, tasks)) for record in records)


def line_of(entry: Entry, tasks: Mapping[str, Task]) -> str:
    """Name the line that an entry belongs to; what others submitted is in none of ours."""
    name = entry.record.ranking.entry
    return f"{name}, by {entry.owner}" if entry.folder is Folder.SUBMITTED else name


def scores(records: Iterable[RecordSummary], metric: Metric) -> Scores:
    """Collect the figures of records that ran well, by seed (probes: by round).

    Those of costs are logarithms, as `ratio_interval` has them.
    """
    by_seed: dict[int, float] = {}
    parts: dict[int, Sequence[float | None]] = {}
    for record in records:
        value = figure(record, metric.name)
        if record.status is Status.OK and value is not None:
            if "." in metric.name:  # a cost, as `figure` reads it
                if value > 0:
                    by_seed[repeat_of(record)] = math.log(value)
                continue
            repeat = repeat_of(record)
            by_seed[repeat] = value
            parts[repeat] = parts_of(record, metric.name)
    return Scores(by_seed, parts)


def parts_of(record: RecordSummary, metric_name: str) -> Sequence[float | None]:
    """Return the scores of the parts of a record's test split; none where it did not keep them."""
    by_part: Mapping[str, Sequence[float | None]] = record.reports.get("test", {}).get(
        "by_part", {}
    )
    return by_part.get(metric_name, ())


def repeat_of(record: RecordSummary) -> int:
    """Return what tells a record from the others of its point: the seed, or a probe's round."""
    return record.cell.seed if record.cell.mode is Mode.TRAIN else record.cell.round


def agrees(
    submitted: RecordSummary, again: RecordSummary, metric: Metric, spread: float = 0.0
) -> bool:
    """Whether another run of a cell comes out alike: within `TOLERANCE`, or `spread` if wider."""
    one, other = figure(submitted, metric.name), figure(again, metric.name)
    if one is None or other is None:
        return False
    return abs(one - other) <= max(TOLERANCE * abs(one), spread)


def _metrics(setting: ComparisonKey, tasks: Mapping[str, Task]) -> list[Metric]:
    if setting.mode is Mode.PROBE:
        return list(COSTS.values())
    task = tasks.get(setting.task)
    return [task.primary_metric] if task else []


@dataclass
class _Line:
    """The entries of one row, one for each repeat; `former` are those that later ones replace.

    `untuned` where the learning rate is no choice of tuning's.
    """

    name: str
    untuned: bool = False
    entries: dict[int, Entry] = field(default_factory=dict)
    former: list[tuple[Entry, str]] = field(default_factory=list)


def _rows(
    entries: Sequence[Entry],
    metric: Metric,
    tasks: Mapping[str, Task],
    verified: Sequence[RecordSummary],
) -> list[Row]:
    lines = _lines(entries, tasks)
    known = {
        name: found
        for name, line in lines.items()
        if (found := scores((entry.record for entry in line.entries.values()), metric)).by_seed
    }
    ranked = rank(known, higher_is_better=metric.higher_is_better, at_least=RANKED_FROM)
    if metric.name in COSTS:
        ranked = [replace(item, estimate=exponential(item.estimate)) for item in ranked]
    rows = [_row(lines[item.name], item, metric, verified) for item in ranked]
    rows = [_tell_noise(row, rows, metric) for row in rows]
    rows += [
        _row(line, None, metric, verified)
        for name, line in lines.items()
        if line.entries and name not in known
    ]
    return rows + [
        _former_row(line, reason, metric, verified)
        for line in lines.values()
        for reason in dict.fromkeys(reason for _, reason in line.former)
    ]


def _tell_noise(row: Row, rows: Sequence[Row], metric: Metric) -> Row:
    """Say why a row shares a rank with better ones although a better one does not."""
    sign = 1 if metric.higher_is_better else -1

    def passes(other: Row) -> bool:
        if not (row.rank and row.estimate and other.rank and other.estimate):
            return False
        return other.rank > row.rank and sign * (other.estimate.value - row.estimate.value) > 0

    if not any(map(passes, rows)):
        return row
    return replace(row, note="; ".join(filter(None, (TOO_NOISY, row.note))))


def _former_row(line: _Line, reason: str, metric: Metric, verified: Sequence[RecordSummary]) -> Row:
    """Return the row of what one thing superseded: its figure, and no rank."""
    entries = {repeat_of(entry.record): entry for entry, why in line.former if why == reason}
    found = scores((entry.record for entry in entries.values()), metric)
    estimate = found.estimate() if found.by_seed else None
    if estimate and metric.name in COSTS:
        estimate = exponential(estimate)
    ranked = Ranked(line.name, None, estimate, None) if estimate else None
    row = _row(_Line(line.name, entries=entries), ranked, metric, verified)
    return replace(row, superseded_by=reason, note="")


def _lines(entries: Sequence[Entry], tasks: Mapping[str, Task]) -> dict[str, _Line]:
    lines: dict[str, _Line] = {}
    for entry in entries:
        name = line_of(entry, tasks)
        lines.setdefault(name, _Line(name)).former.append((entry, ""))
    # What ran under older rules is compared with nothing that did not.
    rules = newest_rules((entry.record for entry in entries), tasks)
    for line in lines.values():
        every = [entry for entry, _ in line.former]
        newest = max((*rules, 0), *map(_version, every))
        line.former = []
        for entry in sorted(every, key=lambda entry: entry.record.run_id):
            repeat = repeat_of(entry.record)
            if _version(entry) < newest:
                line.former.append((entry, _said(newest)))
                continue
            if earlier := line.entries.get(repeat):
                line.former.append((earlier, f"run {entry.record.run_id}"))
            line.entries[repeat] = entry
        line.untuned = any(
            entry.record.cell.mode is Mode.TRAIN and entry.record.ranking.tuning is None
            for entry in line.entries.values()
        )
    return lines


def _version(entry: Entry) -> tuple[int, int, int]:
    return *rules_of(entry.record), entry.record.cell.architecture_version


def _said(version: tuple[int, int, int]) -> str:
    names = ("protocol", "task version", "architecture version")
    return ", ".join(f"{name} {value}" for name, value in zip(names, version, strict=True) if value)


def _row(
    line: _Line, ranked: Ranked | None, metric: Metric, verified: Sequence[RecordSummary]
) -> Row:
    entries = list(line.entries.values())
    records = [entry.record for entry in entries]
    good = [record for record in records if record.status is Status.OK]
    at_one_place = _at_one_place(entries)
    quiet = [record for record in at_one_place if record.quiet]

    def median(name: str) -> float | None:
        values = [record.measured("training", name) for record in quiet]
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None

    bad = sorted({f"{r.status}: {r.reason}" for r in records if r.status is not Status.OK})
    notes = bad
    if ranked and ranked.rank is None:
        n = ranked.estimate.n
        repeats = "seed" if records[0].cell.mode is Mode.TRAIN else "round"
        few = f"{n} {repeats}{'s' if n > 1 else ''}: ranked from {RANKED_FROM} on"
        notes = [few if n < RANKED_FROM else f"no {repeats} in common with the best", *bad]
    if ranked and ranked.estimate.low is not None and not _knows_examples(good, metric):
        notes = [*notes, "interval over seeds alone"]
    if line.untuned:
        notes = [*notes, "untuned"]
    # What was cut off and went on tells how long its last part took.
    whole = [record for record in at_one_place if not record.details.get("resumed_at_steps")]
    seconds = [r.worker_seconds for r in whole if r.worker_seconds is not None]
    return Row(
        line=line.name,
        architecture=records[0].cell.architecture,
        tier=_tier(entries, metric, verified, ranked),
        rank=ranked.rank if ranked else None,
        estimate=ranked.estimate if ranked else None,
        behind=ranked.behind if ranked else None,
        seeds=sorted(line.entries),
        note="; ".join(notes),
        parameter_count=next((r.parameter_count for r in good), None),
        training_tokens_per_second=median("tokens_per_second"),
        training_peak_memory_bytes=median("peak_memory_bytes"),
        worker_seconds=statistics.median(seconds) if seconds else None,
        measured_on=max(record.ended_at for record in records).date(),
        versions=_said(_version(entries[0])),
        commits=sorted({str(r.environment.get("commit"))[:10] for r in records}),
        machines=sorted({entry.machine for entry in entries}),
        run_ids=[record.run_id for record in records],
    )


def _knows_examples(records: Iterable[RecordSummary], metric: Metric) -> bool:
    """Whether the interval of a row counts what other test examples would have done to it."""
    return metric.name in COSTS or all(parts_of(record, metric.name) for record in records)


def _at_one_place(entries: Iterable[Entry]) -> list[RecordSummary]:
    """Return the records of the machine and threads with most: costs of several are no figure."""
    placed = [
        ((entry.machine, entry.record.cell.threads), entry.record)
        for entry in entries
        if entry.record.status is Status.OK
    ]
    if not placed:
        return []
    most = place_of_most(place for place, _ in placed)
    return [record for place, record in placed if place == most]


def _tier(
    entries: Sequence[Entry],
    metric: Metric,
    verified: Sequence[RecordSummary],
    ranked: Ranked | None,
) -> Tier:
    """Say how far a row may be trusted: a submitted one is reproduced where one of its cells is."""
    folders = {entry.folder for entry in entries}
    if folders & {Folder.LOCAL, Folder.PUBLISHED}:
        return Tier.REFERENCE if Folder.PUBLISHED in folders else Tier.LOCAL
    high = ranked.estimate.high if ranked else None
    spread = high - ranked.estimate.value if ranked and high is not None else 0.0
    again = {record.cell_id: record for record in verified if record.protocol == PROTOCOL}
    return (
        Tier.REPRODUCED
        if any(
            entry.record.cell_id in again
            and agrees(entry.record, again[entry.record.cell_id], metric, spread)
            for entry in entries
        )
        else Tier.SELF_REPORTED
    )
