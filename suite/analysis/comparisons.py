"""Records → comparisons: what is compared, and the entries at each length.

The only module that selects valid records. Tables, MLflow, boards, the site, the frame and every
search take their records from here, so that one set of records shows one number everywhere:

- a score is the mean over the seeds that ended well, with an interval over seeds and test examples;
- a cost is the geometric mean over the quiet runs of one session (`suite.analysis.sessions`); an
  entry without a quiet run in the session has no cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from suite.analysis.comparison_key import ComparisonKey, ComparisonKind, group, grouped
from suite.analysis.entry_at_length import EntryAtLength, UsedMachine, used_machine
from suite.analysis.sessions import (
    CostSession,
    Sessions,
    by_session,
    choose_session,
    newest_digests,
    sessions_text,
)
from suite.api import Metric, Mode, Status
from suite.records.naming import split_label
from suite.records.published import StoredRecord
from suite.records.schema import RecordSummary
from suite.records.validity import (
    ValidRuns,
    newest_versions,
    select_valid,
    versions_of,
)

At = tuple[int, str, int]
"""The length, the entry and the batch size of an entry at a length."""
Place = tuple[int, int]
"""A length and a batch size."""


@dataclass(frozen=True)
class Comparison:
    """The entries that may be compared: their records share all but entry, length and repeat.

    Scores may come from several machines. `session` is the one that covers the costs best; those at
    a length come from the session of its entries. `measured_on` is the machine of all and their
    number of threads, or those of the most records if no run ended well.
    """

    key: ComparisonKey
    metric: Metric | None
    measured_on: UsedMachine
    entries: Sequence[EntryAtLength]
    session: CostSession | None = None

    @property
    def records(self) -> list[RecordSummary]:
        """All valid records."""
        return [record for entry in self.entries for record in entry.records]

    @property
    def sessions_text(self) -> str:
        """The sessions that the costs come from."""
        return sessions_text(
            {one.sequence_length: one.session for one in self.entries if one.session}
        )

    def by_entry(self) -> dict[str, list[EntryAtLength]]:
        """Return each entry at its lengths, by name."""
        return grouped(self.entries, lambda entry: entry.name)

    def by_place(self) -> dict[Place, list[EntryAtLength]]:
        """Return the entries at each length and batch size, the shortest length first."""
        return dict(sorted(grouped(self.entries, lambda entry: entry.place).items()))


def compare(
    records: Iterable[StoredRecord], task_versions: Mapping[str, int] | None = None
) -> list[Comparison]:
    """Group records into comparisons, and each comparison into entries at lengths.

    `task_versions` are the versions of the tasks in force: what ran under an older one is
    superseded.
    """
    return [_comparison(key, of_key, task_versions or {}) for key, of_key in group(records).items()]


def _comparison(
    key: ComparisonKey, records: Sequence[StoredRecord], task_versions: Mapping[str, int]
) -> Comparison:
    summaries = [stored.record for stored in records]
    newest = newest_versions(summaries, task_versions)
    named = _entry_names(records)

    def at(stored: StoredRecord) -> At:
        cell = stored.record.cell
        return cell.sequence_length, named[id(stored)], cell.batch_size

    entries = grouped(records, at)
    judged = {
        at: select_valid(of_entry, lambda stored: stored.record, newest)
        for at, of_entry in sorted(entries.items(), key=lambda item: item[0])
    }
    current = {at: _current_runs(found) for at, found in judged.items()}
    digests = newest_digests(run.record for runs in current.values() for run in runs)
    sessions = {at: by_session(runs, digests) for at, runs in current.items()}
    session = choose_session(sessions.values())
    # All trainings have one session, because their costs are shown with their scores.
    chosen: Mapping[At, CostSession | None] = dict.fromkeys(sessions, session)
    if session and key.mode is not Mode.TRAIN:
        chosen = preferred = _sessions_by_place(sessions, session)
        judged = {at: _prefer(preferred[at], found, current[at]) for at, found in judged.items()}
    valid = [run for found in judged.values() for run in found.by_repeat.values()]
    metric = max(records, key=lambda stored: stored.record.run_id).record.ranking.primary_metric
    return Comparison(
        key,
        metric,
        session.used_machine if session else _machine_of_most(valid),
        [
            EntryAtLength(
                name=name,
                architecture=entries[length, name, batch_size][0].record.cell.architecture,
                sequence_length=length,
                batch_size=batch_size,
                metric=metric,
                split=key.split,
                runs=list(found.by_repeat.values()),
                superseded=found.superseded,
                session=chosen[length, name, batch_size],
                sessions=sessions[length, name, batch_size],
            )
            for (length, name, batch_size), found in judged.items()
        ],
        session,
    )


def _sessions_by_place(
    sessions: Mapping[At, Sessions], session: CostSession
) -> dict[At, CostSession]:
    """Return the session of each entry: one for all entries at a length and batch size.

    A place that nothing ran well at has `session`, that of the comparison.
    """
    places = grouped(sessions, lambda at: (at[0], at[2]))
    chosen = {
        place: choose_session((sessions[at] for at in of_place), session) or session
        for place, of_place in places.items()
    }
    return {at: chosen[at[0], at[2]] for at in sessions}


def _current_runs(found: ValidRuns[StoredRecord]) -> list[StoredRecord]:
    """Return the runs of an entry under the newest versions, repeated ones included."""

    def versions(run: StoredRecord) -> tuple[str, ...]:
        methods = (f"{one.name} {one.version}" for one in run.record.cell.methods)
        return versions_of(run.record), *methods

    newest = {versions(run) for run in found.by_repeat.values()}
    again = [run for run, _ in found.superseded if versions(run) in newest]
    return [*again, *found.by_repeat.values()]


def _prefer(
    session: CostSession, found: ValidRuns[StoredRecord], current: Sequence[StoredRecord]
) -> ValidRuns[StoredRecord]:
    """Keep the runs of a probe in the session, or the other runs if the session has none."""
    chosen = {
        run.record.repeat: run
        for run in sorted(current, key=lambda run: run.record.run_id)
        if run.record.invocation.id == session.invocation
        and used_machine(run) == session.used_machine
    }
    if not chosen:
        return found
    reasons = {id(run): reason for run, reason in found.superseded}
    valid = {id(run) for run in chosen.values()}
    others = [
        (run, reasons.get(id(run), f"session {session.invocation}"))
        for run in [*found.by_repeat.values(), *(run for run, _ in found.superseded)]
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
    """Return the machine with the most records that ended well; of equals the first by name."""
    good = [used_machine(run) for run in runs if run.record.status is Status.OK]
    counts = Counter(good or [used_machine(run) for run in runs])
    return max(sorted(counts), key=counts.__getitem__, default=("", 0))


def in_precedence(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Return comparisons in the order in which pages and reports prefer them.

    Final runs of a ranked benchmark come first, then other final runs, costs, and trials last. A
    benchmark's newest version comes before its others. Among equals, the standard track comes
    before the open one, and then the comparison with the most entries and lengths that ended well.
    """
    kinds, found = list(ComparisonKind), list(comparisons)
    newest: dict[tuple[str, str], int] = {}  # a task may keep the runs of an earlier version
    for one in found:
        name, version = _benchmark(one)
        newest[name, one.key.task] = max(version, newest.get((name, one.key.task), 0))

    def order(one: Comparison) -> tuple[int, bool, bool, bool, int, int]:
        name, version = _benchmark(one)
        unranked, is_former = bool(one.key.unranked_reason), version < newest[name, one.key.task]
        good = [record for record in one.records if record.status is Status.OK]
        places = {(record.ranking.entry, record.cell.sequence_length) for record in good}
        return (
            kinds.index(one.key.kind),
            unranked,
            is_former,
            one.key.track == "open",
            -len(places),
            -len(one.records),
        )

    return sorted(found, key=order)


def _benchmark(comparison: Comparison) -> tuple[str, int]:
    """Return the name and the version of a comparison's benchmark, "" and 0 without one."""
    name, version = split_label(comparison.key.benchmark)
    return name, int(version or 0)
