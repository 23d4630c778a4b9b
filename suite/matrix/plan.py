"""What is left to run: a matrix compared with the records that stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from suite.api import Cell, Limits, Status
from suite.matrix.expansion import PlannedCell
from suite.records.environment import describe_machine, hardware
from suite.records.schema import Record, utc_now
from suite.records.standing import probed_machine
from suite.records.store import SetAside, Store, ignore_set_aside

RETRIED_ALWAYS = frozenset({Status.INTERRUPTED, Status.UNSUPPORTED, Status.SKIPPED})


@dataclass(frozen=True, slots=True)
class Plan:
    """A matrix against what is done: `done` stands, the rest is to run; nothing is dropped."""

    cells: Sequence[PlannedCell]
    done: Mapping[str, Record]
    made_at: datetime
    any_machine: bool

    @property
    def to_run(self) -> list[PlannedCell]:
        """The cells a run would start, in order."""
        return [
            planned
            for planned in self.cells
            if not planned.unsupported and planned.cell.id not in self.done
        ]


NOISY = "noisy"
"""What may be run again beside statuses: what was measured while others used the machine."""


def plan(
    cells: Sequence[PlannedCell],
    store: Store,
    digests: Mapping[str, str | None],
    *,
    retry: Iterable[str] = (),
    rerun: bool = False,
    limits: Limits | None = None,
    any_machine: bool = False,
    set_aside: SetAside,
) -> Plan:
    """Say which cells' records stand.

    A record stands unless its run was interrupted, its status is to be retried (or it is noisy, and
    `NOISY` is), or the data it was made from has changed since: `digests` holds each task's digest
    of its source. A probe's stands where this machine is like the one it measured, or for
    `any_machine`. That of a cell that met its limit stands while `limits` are no higher, that of an
    unsupported or skipped one while the reason is the same.
    """
    made_at = utc_now()
    again: Collection[str] = set(Status) if rerun else {*RETRIED_ALWAYS, *retry}
    found = find_standing(store, [planned.cell.id for planned in cells], any_machine, set_aside)
    records = {cell_id: record for cell_id, record in found.items() if not _may_fit(record, limits)}

    def stands(planned: PlannedCell, record: Record) -> bool:
        if planned.unsupported:
            said = (record.status, record.reason)
            return said == (Status.UNSUPPORTED, planned.unsupported)
        if record.status is Status.SKIPPED and not set(again) - RETRIED_ALWAYS:
            return shorter_length_ran_out_of_memory(planned, records.values()) == record.reason
        if NOISY in again and not record.quiet:
            return False
        digest = digests.get(planned.cell.task or "")
        return record.status not in again and _same_data(record, digest)

    done = {
        planned.cell.id: record
        for planned in cells
        if (record := records.get(planned.cell.id)) and stands(planned, record)
    }
    return Plan(cells, done, made_at, any_machine)


def find_standing(
    store: Store,
    cell_ids: Iterable[str],
    any_machine: bool,
    set_aside: SetAside = ignore_set_aside,
) -> dict[str, Record]:
    """Return the records that stand; of probes, those that this machine or one like it measured."""
    here = hardware(describe_machine())
    return {
        record.cell_id: record
        for record in store.current(cell_ids, set_aside)
        if any_machine or probed_machine(record) in ((), here)
    }


def _may_fit(record: Record, limits: Limits | None) -> bool:
    """Whether a cell met a limit that is lower than the present one."""
    then = record.details.get("limits")
    if not limits or not then:
        return False
    if record.status is Status.OUT_OF_MEMORY:
        return then["memory_bytes"] < limits.memory_bytes
    return record.status is Status.TIMED_OUT and then["seconds"] < limits.seconds


def shorter_length_ran_out_of_memory(planned: PlannedCell, records: Iterable[Record]) -> str | None:
    """Say why a cell need not be tried: a shorter one, alike in all else, ran out of memory."""
    cell = planned.cell
    lengths = [
        record.cell.sequence_length
        for record in records
        if record.status is Status.OUT_OF_MEMORY
        and record.cell.sequence_length < cell.sequence_length
        and record.cell.batch_size * record.cell.sequence_length
        <= cell.batch_size * cell.sequence_length
        and _but_for_length(record.cell) == _but_for_length(cell)
    ]
    return f"ran out of memory at length {min(lengths):,} already" if lengths else None


def _but_for_length(cell: Cell) -> Cell:
    return replace(cell, sequence_length=0, batch_size=0, seed=0, round=0)


def _same_data(record: Record, digest: str | None) -> bool:
    """Whether the source is still what it was; a run that ended before reading it cannot differ."""
    known = record.data.get("digest") if record.data else None
    return digest is None or known is None or known == digest
