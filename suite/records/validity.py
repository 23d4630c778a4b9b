"""Which records are valid: decided here, once, for plans, tables, MLflow, boards and the site.

- The latest run of a cell is valid; an interrupted run only if the cell has no other.
- A repeat of an entry is valid only if it ran under the newest versions of the protocol, the task,
  the architecture and the methods, and at the learning rate of the entry's newest run.
- A run that failed does not supersede a good run on the same data, at the same learning rate and,
  for a probe, of the same code. Neither does a good run that lacks an evaluation length of it.

Evaluation lengths are no part of a cell's id. A request for lengths that the valid record lacks
therefore runs the cell again, with the lengths of both (`suite.matrix.plan`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

from suite.api import PROTOCOL, Cell, Mode, Status
from suite.records.environment import speed_facts
from suite.records.schema import Read, RecordSummary

Item = TypeVar("Item")
Versions = tuple[int, int, int]
"""A protocol, a version of the task (0 for a probe) and a version of the architecture."""


@dataclass(frozen=True, slots=True)
class ValidRuns(Generic[Item]):
    """The valid record of each repeat, and each superseded record with what superseded it."""

    by_repeat: Mapping[int, Item]
    superseded: Sequence[tuple[Item, str]]


def latest_runs(records: Iterable[Read], *, of_each_session: bool = False) -> list[Read]:
    """Return the latest run of each cell, in the order in which the cells came.

    Of a probe, the latest on each kind of machine is returned, and with `of_each_session` the
    latest of each invocation. Of a cell on a user's own files, the latest of each content is.
    """
    runs: dict[tuple[object, ...], list[Read]] = {}
    for record in records:
        probe = record.cell.mode is not Mode.TRAIN
        session = record.invocation.id if of_each_session and probe else ""
        # A cell does not name a user's own files.
        files = (record.data or {}).get("digest") if record.cell.source_kind == "files" else ""
        identity = (record.cell_id, session, str(files or ""), *probed_machine(record))
        runs.setdefault(identity, []).append(record)
    return [_valid_run(of_cell, lambda record: record) for of_cell in runs.values()]


def _valid_run(runs: Iterable[Item], record_of: Callable[[Item], RecordSummary]) -> Item:
    """Return the valid run of one cell, or of one repeat.

    A good run is valid only if it has the lengths of the latest good run of the same experiment.
    Another run is valid only if there is no such good run, or if the cell has become unsupported.
    """
    valid, *later = sorted(runs, key=lambda run: _precedence(record_of(run)))
    good = [valid] if record_of(valid).status is Status.OK else []
    for run in later:
        record = record_of(run)
        former = next(
            (run for run in reversed(good) if _is_same_experiment(record, record_of(run))), None
        )
        if record.status is Status.OK:
            loses = former is not None and not has_lengths_of(record, record_of(former).cell)
            valid = former if former is not None and loses else run
            good.append(valid)
        elif former is None or record.status is Status.UNSUPPORTED:
            valid = run
    return valid


def has_lengths_of(record: RecordSummary, cell: Cell) -> bool:
    """Whether a record has the evaluation lengths of a cell."""
    return set(cell.evaluation_lengths) <= set(record.cell.evaluation_lengths)


def _is_same_experiment(record: RecordSummary, good: RecordSummary) -> bool:
    """Whether a run has the data, the learning rate and the measured code of a good run.

    A run that failed early may not have stated its data or its code.
    """
    code, good_code = (run.environment.get("cost_digest") for run in (record, good))
    return (
        record.fingerprint in ("", good.fingerprint)
        and record.ranking.learning_rate == good.ranking.learning_rate
        and (record.cell.mode is Mode.TRAIN or code in (None, good_code))
    )


def probed_machine(record: RecordSummary) -> tuple[object, ...]:
    """Return the facts that determine the speed of a probed machine; empty for a training.

    Devices are left out, because a probe that ends early does not report them.
    """
    if record.cell.mode is Mode.TRAIN:
        return ()
    known = {name: value for name, value in record.environment.items() if name != "devices"}
    return speed_facts(known, record.cell.backend)


def newest_versions(
    records: Sequence[RecordSummary], task_versions: Mapping[str, int]
) -> dict[str, Versions]:
    """Return, by architecture, the newest versions among the records of one comparison.

    The protocol in force and `task_versions`, the versions in force by task, count too.
    """
    protocol, task, _ = max(
        max(_versions(record), (PROTOCOL, task_versions.get(record.cell.task or "", 0), 0))
        for record in records
    )
    newest: dict[str, Versions] = {}
    for record in records:
        name = record.cell.architecture
        newest[name] = max(newest.get(name, (protocol, task, 0)), _versions(record))
    return newest


def select_valid(
    items: Iterable[Item],
    record_of: Callable[[Item], RecordSummary],
    newest: Mapping[str, Versions],
) -> ValidRuns[Item]:
    """Return the valid repeats of one entry at one length of one comparison, and the others.

    `newest` are the newest versions of the comparison, by architecture; those of the methods are
    the newest of the entry. A mean over seeds never mixes two learning rates.
    """
    of_repeats: dict[int, list[Item]] = {}
    superseded: list[tuple[Item, str]] = []
    ordered = sorted(items, key=lambda item: _precedence(record_of(item)))
    applied = [method for item in ordered for method in record_of(item).cell.methods]
    # The last one of a name counts.
    methods = {each.name: each.version for each in sorted(applied, key=lambda one: one.version)}
    for item in ordered:
        record = record_of(item)
        needed = newest[record.cell.architecture]
        older = [method for method in record.cell.methods if method.version < methods[method.name]]
        if _versions(record) < needed:
            superseded.append((item, versions_text(needed)))
        elif older:
            newer = [f"{method.name} version {methods[method.name]}" for method in older]
            superseded.append((item, ", ".join(newer)))
        else:
            of_repeats.setdefault(record.repeat, []).append(item)
    by_repeat = {repeat: _valid_run(runs, record_of) for repeat, runs in of_repeats.items()}
    superseded += [
        (run, f"run {record_of(by_repeat[repeat]).run_id}")
        for repeat, runs in of_repeats.items()
        for run in runs
        if run is not by_repeat[repeat]
    ]
    rates = {repeat: record_of(item).ranking.learning_rate for repeat, item in by_repeat.items()}
    if len(set(rates.values())) > 1:
        last = max(by_repeat, key=lambda repeat: record_of(by_repeat[repeat]).run_id)
        superseded += [
            (by_repeat.pop(repeat), f"learning rate {rates[last]}")
            for repeat, rate in rates.items()
            if rate != rates[last]
        ]
    return ValidRuns(by_repeat, superseded)


@cache
def versions_text(versions: Versions) -> str:
    """Return versions as "protocol 2, task version 4, architecture version 1"."""
    names = ("protocol", "task version", "architecture version")
    return ", ".join(
        f"{name} {value}" for name, value in zip(names, versions, strict=True) if value
    )


def versions_of(record: RecordSummary) -> str:
    """Return the versions that a record ran under, as a board shows them."""
    return versions_text(_versions(record))


def _versions(record: RecordSummary) -> Versions:
    return record.protocol, record.cell.task_version or 0, record.cell.architecture_version


def _precedence(record: RecordSummary) -> tuple[bool, str]:
    return (record.status is not Status.INTERRUPTED, record.run_id)
