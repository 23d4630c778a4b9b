"""Records → comparisons: what is compared, and the entries at each length.

The only module that selects valid records. All tables, pages and searches take their figures from
here, so that one set of records shows one number everywhere:

- a score is the mean over the seeds that ended well, with an interval over seeds and test examples;
- a cost is the geometric mean over the quiet runs of one session (`suite.analysis.sessions`); an
  entry without a quiet run in the session has a disturbed cost, which is shown and not compared.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from suite.analysis.comparison_key import ComparisonKey, ComparisonKind, group, grouped
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.frame import make_frame
from suite.analysis.sessions import (
    CostSession,
    Sessions,
    UsedMachine,
    by_session,
    choose_session,
    newest_digests,
    sessions_text,
    used_machine,
)
from suite.api import Metric, Mode, Status
from suite.records.model_sizes import model_size_text
from suite.records.naming import split_label
from suite.records.published import StoredRecord
from suite.records.schema import RecordSummary
from suite.records.validity import (
    ValidRuns,
    newest_versions,
    select_valid,
    versions_of,
)

if TYPE_CHECKING:
    import pandas

MAIN_BENCHMARK = "long_text"
"""The benchmark whose results come first on the pages and in LEADERBOARD.md, once it has any."""
Group = tuple[int, str, int]
"""The length, the name and the batch size of an entry at a length."""


@dataclass(frozen=True)
class Comparison:
    """The entries that may be compared: their records share all but entry, length and repeat.

    `session` is the one that covers the costs best; those at a length come from the session of its
    entries. `measured_on` is the machine of that session, or of the most records without one.
    `former` are the entries of superseded records. `frame` has the values of all entries.
    """

    key: ComparisonKey
    metric: Metric | None
    measured_on: UsedMachine
    entries: Sequence[EntryAtLength]
    session: CostSession | None = None
    former: Sequence[EntryAtLength] = ()
    frame: pandas.DataFrame = field(default=None, compare=False, repr=False)  # type: ignore[assignment]

    @property
    def records(self) -> list[RecordSummary]:
        """All valid records."""
        return [record for entry in self.entries for record in entry.records]

    @property
    def model_text(self) -> str:
        """The model size, with the median number of weights without embedding and head."""
        counts = [count for entry in self.entries if (count := entry.mixing_parameters)]
        return model_size_text(self.key.model_size, statistics.median(counts) if counts else None)

    @property
    def sessions_text(self) -> str:
        """The sessions that the costs come from."""
        return sessions_text((entry.sequence_length, entry.session) for entry in self.entries)

    def costs(self, measures: Collection[str], *, noisy: bool = False) -> pandas.DataFrame:
        """Return the rows of the positive costs that stand for their session: the quiet ones.

        With `noisy`, the noisy ones too.
        """
        chosen = self.frame["usable"] & (noisy | ~self.frame["noisy"])
        rows = self.frame[chosen & (self.frame["value"] > 0)]
        return rows[rows["measure"].isin(measures)]

    def among(self, names: Collection[str]) -> Comparison | None:
        """Compare only the entries named: the session is the one that covers them best.

        Their superseded records are left out. The result is None if no run of them ended well.
        """
        runs = [
            run
            for entry in self.entries
            if entry.name in names
            for of_session in entry.runs_by_session.values()
            for run in of_session.values()
        ]
        return next(iter(compare(runs)), None)

    def by_entry(self) -> dict[str, list[EntryAtLength]]:
        """Return each entry at its lengths, by name."""
        return grouped(self.entries, lambda entry: entry.name)

    def by_place(self) -> dict[tuple[int, int], list[EntryAtLength]]:
        """Return the entries at each length and batch size, the shortest length first."""
        return dict(sorted(grouped(self.entries, lambda entry: entry.place).items()))


def compare(
    records: Iterable[StoredRecord], task_versions: Mapping[str, int] | None = None
) -> list[Comparison]:
    """Group records into comparisons, and each comparison into entries at lengths.

    A run under an older version of a task than that in `task_versions` is superseded.
    """
    groups = group(records).items()
    if not groups:  # a report of nothing does not wait for pandas
        return []
    comparisons = [_comparison(key, of_key, task_versions or {}) for key, of_key in groups]
    entries = [[*comparison.entries, *comparison.former] for comparison in comparisons]
    frame = make_frame([entry for of_comparison in entries for entry in of_comparison])
    ends = accumulate(map(len, entries), initial=0)
    rows = pairwise(frame["group"].searchsorted([*ends]))
    return [
        replace(comparison, frame=frame.iloc[first:last])
        for comparison, (first, last) in zip(comparisons, rows, strict=True)
    ]


def _comparison(
    key: ComparisonKey, records: Sequence[StoredRecord], task_versions: Mapping[str, int]
) -> Comparison:
    summaries = [stored.record for stored in records]
    newest = newest_versions(summaries, task_versions)
    names = _entry_names(records)

    def group_of(stored: StoredRecord) -> Group:
        cell = stored.record.cell
        return cell.sequence_length, names[id(stored)], cell.batch_size

    judged = {
        group: select_valid(of_group, lambda stored: stored.record, newest)
        for group, of_group in sorted(grouped(records, group_of).items(), key=lambda item: item[0])
    }
    current = {group: _current_runs(runs) for group, runs in judged.items()}
    digests = newest_digests(run.record for runs in current.values() for run in runs)
    sessions = {group: by_session(runs, digests) for group, runs in current.items()}
    session = choose_session(sessions.values())
    # All trainings have one session, because their costs are shown with their scores.
    chosen: Mapping[Group, CostSession | None] = dict.fromkeys(sessions, session)
    if session and key.mode is not Mode.TRAIN:
        chosen = preferred = _sessions_by_place(sessions, session)
        judged = {
            group: _prefer(preferred[group], runs, current[group]) for group, runs in judged.items()
        }
    valid = [run for runs in judged.values() for run in runs.by_repeat.values()]
    newest_run = max(summaries, key=lambda record: record.run_id)
    metric = newest_run.ranking.primary_metric

    def entry(group: Group, runs: Sequence[StoredRecord]) -> EntryAtLength:
        length, name, batch_size = group
        architecture = runs[0].record.cell.architecture
        return EntryAtLength(name, architecture, length, batch_size, metric, key.split, runs)

    return Comparison(
        key,
        metric,
        session.used_machine if session else _machine_of_most(valid),
        [
            replace(
                entry(group, list(runs.by_repeat.values())),
                session=chosen[group],
                runs_by_session=sessions[group],
            )
            for group, runs in judged.items()
            if runs.by_repeat
        ],
        session,
        [
            _with_own_session(entry(group, part), reason)
            for group, runs in judged.items()
            for reason, part in _superseded(runs.superseded)
        ],
    )


def _superseded(
    runs: Iterable[tuple[StoredRecord, str]],
) -> list[tuple[str, list[StoredRecord]]]:
    """Return superseded runs by reason and version; two runs of one repeat are apart."""
    seen: Counter[tuple[object, ...]] = Counter()

    def part(item: tuple[StoredRecord, str]) -> tuple[object, ...]:
        record, reason = item[0].record, item[1]
        kind = reason, versions_of(record), record.status is Status.UNSUPPORTED
        seen[*kind, record.repeat] += 1
        return *kind, seen[*kind, record.repeat]

    parts = grouped(runs, part).items()
    return [(str(reason), [run for run, _ in items]) for (reason, *_), items in parts]


def _with_own_session(entry: EntryAtLength, reason: str) -> EntryAtLength:
    sessions = by_session(entry.runs, newest_digests(run.record for run in entry.runs))
    session = choose_session([sessions])
    return replace(entry, session=session, runs_by_session=sessions, superseded_by=reason)


def _sessions_by_place(
    sessions: Mapping[Group, Sessions], session: CostSession
) -> dict[Group, CostSession]:
    """Return the session of each entry: one for all entries at a length and batch size."""
    by_place = grouped(sessions, lambda group: (group[0], group[2]))
    return {
        group: choice
        for groups in by_place.values()
        for choice in [choose_session((sessions[group] for group in groups), session) or session]
        for group in groups
    }


def _current_runs(judged: ValidRuns[StoredRecord]) -> list[StoredRecord]:
    """Return the runs of an entry under the newest versions, repeated ones included."""

    def versions(run: StoredRecord) -> tuple[str, ...]:
        methods = (f"{method.name} {method.version}" for method in run.record.cell.methods)
        return versions_of(run.record), *methods

    newest = {versions(run) for run in judged.by_repeat.values()}
    again = [run for run, _ in judged.superseded if versions(run) in newest]
    return [*again, *judged.by_repeat.values()]


def _prefer(
    session: CostSession, judged: ValidRuns[StoredRecord], current: Sequence[StoredRecord]
) -> ValidRuns[StoredRecord]:
    """Keep the runs of a probe in the session, or the other runs if the session has none."""
    chosen = {
        run.record.repeat: run
        for run in sorted(current, key=lambda run: run.record.run_id)
        if run.record.invocation.id == session.invocation
        and used_machine(run) == session.used_machine
    }
    if not chosen:
        return judged
    reasons = {id(run): reason for run, reason in judged.superseded}
    valid = {id(run) for run in chosen.values()}
    others = [
        (run, reasons.get(id(run), f"session {session.invocation}"))
        for run in [*judged.by_repeat.values(), *(run for run, _ in judged.superseded)]
        if id(run) not in valid
    ]
    return ValidRuns(chosen, others)


def _entry_names(records: Sequence[StoredRecord]) -> dict[int, str]:
    """Return the name of each record's entry; untuned runs are kept apart from tuned ones."""
    tuned = {
        (record.ranking.entry, versions_of(record))
        for record in (stored.record for stored in records)
        if record.ranking.tuning is not None
    }

    def name(record: RecordSummary) -> str:
        entry = record.ranking.entry
        apart = record.ranking.tuning is None and (entry, versions_of(record)) in tuned
        return f"{entry} (untuned)" if apart else entry

    return {id(stored): name(stored.record) for stored in records}


def _machine_of_most(runs: Sequence[StoredRecord]) -> UsedMachine:
    """Return the machine with the most records that ended well; of equals, the first by name."""
    good = [used_machine(run) for run in runs if run.record.status is Status.OK]
    counts = Counter(good or [used_machine(run) for run in runs])
    return max(sorted(counts), key=counts.__getitem__, default=("", 0))


def in_precedence(
    comparisons: Iterable[Comparison], *, own_first: bool = False
) -> list[Comparison]:
    """Return comparisons in the order in which pages and reports prefer them.

    Final runs of a ranked benchmark come first, those of `MAIN_BENCHMARK` before others; then other
    final runs, costs, and trials last. A benchmark's newest version comes first; then the standard
    track; then the comparison with the most entries and lengths that ended well, and of equals the
    one with the most updates. With `own_first`, a user's own data comes first.
    """
    kinds, comparisons = list(ComparisonKind), list(comparisons)
    newest: dict[tuple[str, str], int] = {}  # a task may keep the runs of an earlier version
    for comparison in comparisons:
        name, version = _benchmark(comparison)
        task = name, comparison.key.task
        newest[task] = max(version, newest.get(task, 0))

    def order(comparison: Comparison) -> tuple[bool, int, bool, bool, bool, bool, int, int, int]:
        key = comparison.key
        name, version = _benchmark(comparison)
        good = [record for record in comparison.records if record.status is Status.OK]
        places = {(record.ranking.entry, record.cell.sequence_length) for record in good}
        return (
            not (own_first and key.is_own_data),
            kinds.index(key.kind),
            bool(key.unranked_reason),
            name != MAIN_BENCHMARK,
            version < newest[name, key.task],
            key.track == "open",
            -len(places),
            -len(comparison.records),
            -key.steps,
        )

    return sorted(comparisons, key=order)


def _benchmark(comparison: Comparison) -> tuple[str, int]:
    """Return the name and the version of a comparison's benchmark, "" and 0 without one."""
    name, version = split_label(comparison.key.benchmark)
    return name, int(version or 0)
