"""Sessions: the runs of one `bench run` on one machine, within which costs are compared.

A machine drifts: from one hour to the next it may be 10% faster. The cells of one session run
interleaved, so that drift affects all entries alike. A comparison takes the costs at each length
from one session, and fits growth within the one that covers it best. The other sessions on equal
machines show how much a figure varies from session to session. A run counts only if it has the
newest cost digest of its architecture among the records of the comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from suite.analysis.comparison_key import grouped
from suite.api import Status
from suite.records.environment import speed_facts
from suite.records.measures import phases_of
from suite.records.published import StoredRecord
from suite.records.schema import RecordSummary

UsedMachine = tuple[str, int]
"""A machine, by name, and the number of threads used on it."""


@dataclass(frozen=True, slots=True)
class CostSession:
    """One invocation on one machine with one number of threads."""

    invocation: str
    started_at: datetime
    machine: str
    threads: int
    speed_facts: tuple[object, ...]

    @property
    def used_machine(self) -> UsedMachine:
        """The machine, by name, and the number of threads used on it."""
        return self.machine, self.threads

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.started_at:%Y-%m-%d %H:%M} on {self.machine}, {threads}"

    def is_on_machine_of(self, other: CostSession) -> bool:
        """Return whether two sessions used equal machines and equally many threads."""
        machines = [(*each.used_machine, each.speed_facts) for each in (self, other)]
        return machines[0] == machines[1]


Sessions = Mapping[CostSession, Mapping[int, StoredRecord]]
"""The runs of one entry at a length that may count as costs: by session, then by repeat."""


def used_machine(stored: StoredRecord) -> UsedMachine:
    """Return the machine and the number of threads of a record."""
    return stored.machine, stored.record.cell.threads


def newest_digests(records: Iterable[RecordSummary]) -> dict[str, str | None]:
    """Return the newest cost digest of each architecture among the runs that ended well."""
    good = [record for record in records if record.status is Status.OK]
    ordered = sorted(good, key=lambda record: record.run_id)
    return {record.cell.architecture: cost_digest(record) for record in ordered}


def cost_digest(record: RecordSummary) -> str | None:
    """Return the digest of the code whose costs a record holds; None if it has none."""
    return record.environment.get("cost_digest")


def by_session(runs: Iterable[StoredRecord], digests: Mapping[str, str | None]) -> Sessions:
    """Return the runs of an entry that ended well and have the newest digest, by session.

    If a session has two runs of one repeat, the later one counts.
    """
    sessions: dict[CostSession, dict[int, StoredRecord]] = {}
    for stored in sorted(runs, key=lambda stored: stored.record.run_id):
        record = stored.record
        if record.status is Status.OK and cost_digest(record) == digests[record.cell.architecture]:
            of = record.invocation
            facts = speed_facts(record.environment, record.cell.backend)
            session = CostSession(of.id, of.started_at, *used_machine(stored), facts)
            sessions.setdefault(session, {})[record.repeat] = stored
    return sessions


def counts(record: RecordSummary, phase: str) -> bool:
    """Return whether the costs of a phase, or of a part of it, count: a noisy phase does not."""
    return record.is_quiet(phase) and is_whole(record, phase)


def is_whole(record: RecordSummary, phase: str) -> bool:
    """Return whether one session took all steps of a phase: a resumed training has two."""
    return not (phase.startswith("training") and record.details.get("resumed_at_steps"))


def choose_session(
    entries: Iterable[Sessions], preferred: CostSession | None = None
) -> CostSession | None:
    """Return the session whose costs are compared; None if no run ended well.

    It is the session with quiet phases of the most entries, then of the most runs, then with the
    most entries; of equals `preferred`, then the newest. With `preferred`, only sessions on its
    machine with as many threads are considered.
    """
    covered: dict[CostSession, list[int]] = {}
    for sessions in entries:
        for session, by_repeat in sessions.items():
            tally = covered.setdefault(session, [0, 0, 0])
            tally[2] += 1
            modes = {stored.record.cell.mode for stored in by_repeat.values()}
            for phase in {phase for mode in modes for phase in phases_of(mode)}:
                quiet = sum(counts(stored.record, phase) for stored in by_repeat.values())
                tally[0] += quiet > 0
                tally[1] += quiet

    def precedence(session: CostSession) -> tuple[list[int], bool, datetime, str, str]:
        newest = session.started_at, session.invocation, repr(session)
        return covered[session], session == preferred, *newest

    usable = [each for each in covered if preferred is None or each.is_on_machine_of(preferred)]
    return max(usable, key=precedence, default=None)


def sessions_text(at_lengths: Iterable[tuple[int, CostSession | None]]) -> str:
    """Return a clause with the sessions that costs at some lengths come from; empty without any.

    It begins with a capital letter. The lengths are named only if there are several sessions.
    """
    by_length = {length: session for length, session in at_lengths if session}
    lengths = grouped(sorted(by_length), by_length.__getitem__)
    if len(lengths) < 2:
        return "".join(f"Session of {session}" for session in lengths)
    parts = [f"{_lengths_text(of_session)}, {session}" for session, of_session in lengths.items()]
    return f"Sessions: {'; '.join(parts)}"


def _lengths_text(lengths: Sequence[int]) -> str:
    *others, last = (f"{length:,}" for length in lengths)
    return f"at lengths {', '.join(others)} and {last}" if others else f"at length {last}"
