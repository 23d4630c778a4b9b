"""The cells that remain to run: a matrix compared with the valid records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from suite.api import Cell, Limits, Mode, Status, has_own_weights
from suite.api.code_digest import CodeDigests
from suite.api.errors import check_name
from suite.api.evaluation_lengths import exceeded_limits
from suite.api.weights import too_large
from suite.matrix.planned_cells import PlannedCell
from suite.records.environment import describe_machine, speed_facts
from suite.records.schema import Record
from suite.records.store import Store
from suite.records.validity import has_lengths_of, latest_runs, probed_machine
from suite.records.weights import has_weights

CodeOf = Callable[[Cell], CodeDigests]
"""Returns the present digests of a cell's code."""
RETRIED_ALWAYS = frozenset({Status.INTERRUPTED, Status.UNSUPPORTED, Status.SKIPPED})


@dataclass(frozen=True, slots=True)
class Plan:
    """A matrix and the valid records of its cells (`done`); all other supported cells run.

    `changed` are the ids of the done trainings whose code has changed since, `known` those of all
    runs in the home when the plan was made. `code_of` returns the present digests of a cell's code.
    """

    cells: Sequence[PlannedCell]
    done: Mapping[str, Record]
    changed: frozenset[str]
    known: frozenset[str]
    any_machine: bool
    code_of: CodeOf

    @property
    def to_run(self) -> list[PlannedCell]:
        """The cells that a run starts, in order."""
        return list(filter(self.runs, self.cells))

    def runs(self, planned: PlannedCell) -> bool:
        """Whether a run starts a cell of the plan."""
        return not planned.unsupported and planned.cell.id not in self.done


NOISY = "noisy"
"""A value of `retry` beside the statuses: records measured while others used the machine."""
CHANGED: Literal["changed"] = "changed"
"""A value of `rerun`: trainings whose code has changed since."""
Rerun = bool | Literal["changed"]
"""Whether all cells run again, or `CHANGED`."""


def check_statuses(names: Iterable[str], *others: str) -> list[str]:
    """Return names; raise a RequestError unless each is a status or one of `others`."""
    known = [*Status, *others]
    names = list(names)
    for name in names:
        check_name("status", name, known)
    return names


def check_rerun(value: bool | str) -> Rerun:
    """Return the value of `rerun`; raise a RequestError unless it is a bool or "changed"."""
    if isinstance(value, bool):
        return value
    check_name("value of `rerun`", value, [CHANGED])
    return CHANGED


def plan(
    cells: Sequence[PlannedCell],
    store: Store,
    digests: Mapping[str, str | None],
    *,
    code_of: CodeOf = lambda cell: CodeDigests(),
    retry: Iterable[str] = (),
    rerun: Rerun = False,
    limits: Limits | None = None,
    any_machine: bool = False,
    keep_weights: bool = False,
) -> Plan:
    """Return a plan with the valid record of each cell.

    A record is invalid if its run was interrupted, if `retry` names its status (`NOISY`: noisy
    records), or if the source of its task has another digest than in `digests`. That of a probe is
    valid on a similar machine only, unless `any_machine` is set, and only for the measured code,
    whose present digests `code_of` returns. A training of other code is valid unless `rerun` is
    `CHANGED`. A cell that exceeded a limit is valid until `limits` are higher, an unsupported or
    skipped one while the reason is the same, and one that took trained models while it needs the
    same ones.

    A trained model's record is invalid if it lacks an evaluation length of the request; the status
    of such a length counts as one of the record. A cell that runs again also scores the evaluation
    lengths of its good records. A parent runs again if its weights are missing and a cell to run
    needs them. With `keep_weights`, so does each training and compressed model without weights; a
    cell that only evaluates has those of its parent.
    """
    if keep_weights:
        cells = [
            replace(
                planned, keeps_weights=cell.mode is Mode.TRAIN and has_own_weights(cell.methods)
            )
            for planned in cells
            for cell in [planned.cell]
        ]
    again: Collection[str] = set(Status) if rerun is True else {*RETRIED_ALWAYS, *retry}
    known = store.run_ids()
    existing = store.all([planned.cell.id for planned in cells])
    valid = find_valid(existing, any_machine, digests)
    statuses = {
        planned.cell.id: {
            record.status,
            *exceeded_limits(record.reports, planned.cell.evaluation_lengths),
        }
        for planned in cells
        if (record := valid.get(planned.cell.id))
    }
    records = {
        planned.cell.id: record
        for planned in cells
        if (record := valid.get(planned.cell.id))
        and not _may_fit(record, statuses[record.cell_id], limits and planned.limits_from(limits))
    }

    def stands(planned: PlannedCell, record: Record) -> bool:
        if planned.unsupported:
            said = (record.status, record.reason)
            return said == (Status.UNSUPPORTED, planned.unsupported)
        if record.status is Status.SKIPPED and not set(again) - RETRIED_ALWAYS:
            return shorter_length_ran_out_of_memory(planned, records.values()) == record.reason
        if NOISY in again and not record.quiet:
            return False
        if record.status is Status.OK and not has_lengths_of(record, planned.cell):
            return False
        if not is_of_code(record, code_of):
            return False
        if not has_parents_of(record, planned):
            return False
        digest = digests.get(planned.cell.task or "")
        return statuses[record.cell_id].isdisjoint(again) and _same_data(record, digest)

    done = {
        planned.cell.id: record
        for planned in cells
        if (record := records.get(planned.cell.id)) and stands(planned, record)
    }
    changed = _changed_trainings(cells, done, code_of)
    if rerun == CHANGED:
        done = {cell_id: record for cell_id, record in done.items() if cell_id not in changed}
    done = _without_missing_weights(cells, done, store, keep_weights)
    former: dict[str, list[Record]] = {}
    for record in existing:
        if record.cell_id not in done:
            former.setdefault(record.cell_id, []).append(record)
    kept = [with_scored_lengths(planned, former.get(planned.cell.id, ())) for planned in cells]
    return Plan(kept, done, changed.intersection(done), known, any_machine, code_of)


def _changed_trainings(
    cells: Iterable[PlannedCell],
    done: Mapping[str, Record],
    code_of: CodeOf,
) -> frozenset[str]:
    """Return the ids of the trainings whose code, or that of a model they took, has changed."""
    changed: set[str] = set()
    for planned in cells:  # parents come before the cells that need them
        record = done.get(planned.cell.id)
        if record is None or planned.cell.mode is not Mode.TRAIN or record.status in RETRIED_ALWAYS:
            continue
        took_changed = not changed.isdisjoint(planned.parents.values())
        if took_changed or not _same_code(record, code_of):
            changed.add(planned.cell.id)
    return frozenset(changed)


def has_parents_of(record: Record, planned: PlannedCell) -> bool:
    """Whether a record took the trained models that a cell needs, or does not name its own."""
    return record.details.get("parents", planned.parents) == planned.parents


def _without_missing_weights(
    cells: Sequence[PlannedCell], done: Mapping[str, Record], store: Store, all_of_them: bool
) -> dict[str, Record]:
    """Return the done cells without the good ones whose weights are missing and needed.

    A cell to run needs those of its parents. `all_of_them` needs those of every training, unless
    the model is too large to be kept.
    """
    kept = dict(done)
    needed: set[str] = set()
    for planned in reversed(cells):  # parents come before the cells that need them
        cell_id = planned.cell.id
        record = kept.get(cell_id)
        if record is not None and record.status is Status.OK:
            wanted = cell_id in needed or (
                all_of_them and planned.keeps_weights and not too_large(record.parameter_count or 0)
            )
            if wanted and not has_weights(store, record):
                del kept[cell_id]
        if cell_id not in kept and not planned.unsupported:
            needed.update(planned.parents.values())
    return kept


def with_scored_lengths(planned: PlannedCell, records: Iterable[Record]) -> PlannedCell:
    """Return a cell that also scores the evaluation lengths of its good records."""
    lengths = set(planned.cell.evaluation_lengths).union(
        *(record.cell.evaluation_lengths for record in records if record.status is Status.OK)
    )
    return replace(planned, cell=replace(planned.cell, evaluation_lengths=tuple(sorted(lengths))))


def find_valid(
    records: Iterable[Record], any_machine: bool, digests: Mapping[str, str | None] | None = None
) -> dict[str, Record]:
    """Return the valid record of each cell; of probes, only those of this machine or its like.

    `records` are all records of the cells. The run on the content with the digest of the task
    stands, or else the latest run.
    """
    machine = describe_machine()

    def precedence(record: Record) -> tuple[bool, str]:
        return _same_data(record, (digests or {}).get(record.cell.task or "")), record.run_id

    return {
        record.cell_id: record
        for record in sorted(latest_runs(records), key=precedence)
        if any_machine or probed_machine(record) in ((), speed_facts(machine, record.cell.backend))
    }


def _may_fit(record: Record, statuses: Collection[Status], limits: Limits | None) -> bool:
    """Whether a cell exceeded a limit that is lower than the present one."""
    then = record.details.get("limits")
    if not limits or not then:
        return False
    if Status.OUT_OF_MEMORY in statuses and then["memory_bytes"] < limits.memory_bytes:
        return True
    return Status.TIMED_OUT in statuses and then["seconds"] < limits.seconds


def shorter_length_ran_out_of_memory(planned: PlannedCell, records: Iterable[Record]) -> str | None:
    """Return why a cell is skipped: the same cell ran out of memory at a shorter length."""
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
    return f"ran out of memory at the shorter length {min(lengths):,}" if lengths else None


def _but_for_length(cell: Cell) -> Cell:
    return replace(cell, sequence_length=0, batch_size=0, seed=0, round=0, evaluation_lengths=())


def _same_data(record: Record, digest: str | None) -> bool:
    """Whether the source has the digest of the record, or one of the two is unknown."""
    known = record.data.get("digest") if record.data else None
    return digest is None or known is None or known == digest


def is_of_code(record: Record, code_of: CodeOf) -> bool:
    """Whether a record is of the present code. A training is valid whatever its code was."""
    return record.cell.mode is Mode.TRAIN or _same_code(record, code_of)


def _same_code(record: Record, code_of: CodeOf) -> bool:
    """Whether the code is that of the record, as far as the digests of both are known."""
    of_training = (record.environment.get("code") or {}).get("training_digest")
    then = CodeDigests(record.environment.get("cost_digest"), of_training)
    if then == CodeDigests():
        return True
    now = code_of(record.cell)
    pairs = ((then.costs, now.costs), (then.training, now.training))
    return all(None in pair or pair[0] == pair[1] for pair in pairs)
