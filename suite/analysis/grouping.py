"""What records must share to be compared, and how they are put together by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from suite.api import BACKENDS, PRECISIONS, PROTOCOL, Cell, Mode, Task
from suite.records.migrations import options_text
from suite.records.schema import RecordSummary

Item = TypeVar("Item")

FILLED = 0.9
"""Probes whose batches fill less of that power of two are compared among themselves."""
REPEATED = ("seed", "round")
"""The fields in which the cells of one point differ."""


@dataclass(frozen=True, slots=True, order=True)
class ComparisonKey:
    """All that lines of one comparison have in common, but for the length.

    `task_options` are the options that make another task of it ("units=bytes"); those of the
    recipe and of architectures name a line instead. `positions_per_batch` is the power of two from
    which whole sequences were cut to make a batch. It is 0 where batches of as many sequences are
    compared over the lengths (probes, and tasks whose budget is in examples): then
    `sequences_per_batch` says how many. `fingerprint` is that of the data; "" joins the lengths of
    data that is drawn for a length.
    """

    mode: Mode
    task: str
    source: str
    task_options: str
    form: str
    model_size: str
    budget: int
    precision: str
    backend: str
    positions_per_batch: int
    sequences_per_batch: int
    threads: int
    protocol: int
    fingerprint: str = ""
    drawn_for_length: bool = False
    machine: str = ""

    @property
    def batch(self) -> str:
        """Say how large the batches are: in positions, or in sequences where those were fixed."""
        if self.sequences_per_batch:
            return f"batch {self.sequences_per_batch}"
        positions = "tokens" if self.mode is Mode.PROBE else "positions"
        return f"{self.positions_per_batch:,} {positions} a batch"

    @property
    def way(self) -> str:
        """Say on which backend and in which precision it ran."""
        return f"{self.backend}, {self.precision}"

    @property
    def title(self) -> str:
        """Say it in words, the data's fingerprint left out."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}" if self.threads else ""
        if self.mode is Mode.PROBE:
            what = ["probe", self.form.replace("_", "-")]
            last = [self.batch]
        else:
            what = [self.task, self.source, self.task_options]
            last = [f"budget {self.budget:,}", self.batch]
        how = [f"model size {self.model_size}", self.backend, self.precision, threads]
        return " · ".join(part for part in [*what, *how, *last, self.machine] if part)


def setting_of(
    record: RecordSummary,
    tasks: Mapping[str, Task],
    *,
    protocol: int | None = None,
    threads: int | None = None,
    machine: str = "",
) -> ComparisonKey:
    """Return a record's setting; what is given stands in place of the record's own."""
    cell, facts = record.cell, record.ranking
    counts_examples = facts.budget_unit == "examples"
    return ComparisonKey(
        mode=cell.mode,
        task=cell.task or "",
        source=cell.source or "",
        task_options=options_text(facts.task_options),
        form=str(cell.form),
        model_size=cell.model_size,
        budget=cell.budget,
        precision=cell.precision,
        backend=cell.backend,
        positions_per_batch=0 if counts_examples else _positions_per_batch(cell),
        sequences_per_batch=cell.batch_size if counts_examples else 0,
        threads=cell.threads if threads is None else threads,
        protocol=record.protocol if protocol is None else protocol,
        fingerprint=str((record.data or {}).get("fingerprint") or ""),
        drawn_for_length=facts.drawn_for_length,
        machine=machine,
    )


def rules_in_force(cell: Cell, tasks: Mapping[str, Task]) -> tuple[int, int]:
    """Return the protocol and the task's version that this code has; 0 for a task it has not."""
    task = tasks.get(cell.task or "")
    return PROTOCOL, task.version if task else 0


def rules_of(record: RecordSummary) -> tuple[int, int]:
    """Return the protocol and the task's version that a record ran under, 0 for a probe."""
    return record.protocol, record.cell.task_version or 0


def baselines(settings: Collection[ComparisonKey]) -> dict[ComparisonKey, ComparisonKey]:
    """Return by setting which one it is measured by: the first of its like, perhaps itself.

    They are alike but for backend and precision, of which the default comes first.
    """

    def place(setting: ComparisonKey) -> tuple[bool, bool, ComparisonKey]:
        return setting.backend != BACKENDS[0], setting.precision != PRECISIONS[0], setting

    def elsewhere(setting: ComparisonKey) -> ComparisonKey:
        return replace(setting, backend="", precision="")

    first: dict[ComparisonKey, ComparisonKey] = {}
    for setting in sorted(settings, key=place):
        first.setdefault(elsewhere(setting), setting)
    return {setting: first[elsewhere(setting)] for setting in settings}


Place = tuple[str, int]
"""A machine, by name, and the number of threads used on it."""


def place_of_most(places: Iterable[Place]) -> Place:
    """Return where most ran, of equals the first by name: costs are taken from one place alone."""
    counts = Counter(places)
    return max(sorted(counts), key=counts.__getitem__)


def group(
    items: Iterable[Item],
    setting_of_item: Callable[[Item], ComparisonKey],
    cell_of: Callable[[Item], Cell],
) -> dict[ComparisonKey, list[Item]]:
    """Put records, or what holds one, together by setting, in order, those that learned first.

    What was not run, and so knows no fingerprint, goes with what was; lengths whose data was drawn
    for them go together. Probes of equal batch are a series too, where that joins more lengths than
    batches of equal positions do.
    """
    groups: dict[ComparisonKey, list[Item]] = {}
    for item in items:
        groups.setdefault(setting_of_item(item), []).append(item)
    groups = _with_lengths_joined(groups, cell_of)
    known = {replace(setting, fingerprint=""): setting for setting in groups if setting.fingerprint}
    for setting in [setting for setting in groups if setting in known]:
        groups[known[setting]] += groups.pop(setting)
    found = _with_fixed_batches(groups, cell_of)
    return {
        setting: found[setting]
        for setting in sorted(found, key=lambda one: (one.mode is Mode.PROBE, one))
    }


def _with_lengths_joined(
    groups: Mapping[ComparisonKey, list[Item]], cell_of: Callable[[Item], Cell]
) -> dict[ComparisonKey, list[Item]]:
    """Join what differs in the fingerprint alone, where data is drawn for a length.

    Two fingerprints of one length are different data all the same: those groups stay apart.
    """
    drawn: dict[ComparisonKey, list[ComparisonKey]] = {}
    for setting in groups:
        if setting.drawn_for_length:
            drawn.setdefault(replace(setting, fingerprint=""), []).append(setting)
    found = dict(groups)
    for joined, parts in drawn.items():
        lengths = Counter(
            length
            for part in parts
            if part.fingerprint
            for length in {cell_of(item).sequence_length for item in groups[part]}
        )
        if len(lengths) > 1 and set(lengths.values()) == {1}:
            found[joined] = [item for part in parts for item in found.pop(part)]
    return found


def _with_fixed_batches(
    groups: Mapping[ComparisonKey, list[Item]], cell_of: Callable[[Item], Cell]
) -> dict[ComparisonKey, list[Item]]:
    """Add the series of equal batch that say more, drop those of equal positions that say less.

    A series says more than another of its items' where it has more lengths; so a sweep over the
    lengths is found, whichever of the two was held, and no item is lost.
    """
    fixed: dict[ComparisonKey, list[Item]] = {}
    others: dict[ComparisonKey, set[ComparisonKey]] = {}
    for setting, items in groups.items():
        if setting.mode is Mode.PROBE:
            by_batch: dict[int, list[Item]] = {}
            for item in items:
                by_batch.setdefault(cell_of(item).batch_size, []).append(item)
            for batch_size, part in by_batch.items():
                other = replace(setting, positions_per_batch=0, sequences_per_batch=batch_size)
                fixed.setdefault(other, []).extend(part)
                others.setdefault(setting, set()).add(other)

    def num_lengths(items: Iterable[Item]) -> int:
        return len({cell_of(item).sequence_length for item in items})

    found = dict(groups)
    for setting, series in others.items():
        longer = {
            other for other in series if num_lengths(fixed[other]) > num_lengths(groups[setting])
        }
        found |= {other: fixed[other] for other in longer}
        if longer == series:
            del found[setting]
    return found


def titles(settings: Iterable[ComparisonKey]) -> dict[ComparisonKey, str]:
    """Return each setting's title, with the data's fingerprint where titles would be the same."""
    settings = list(settings)
    counts = Counter(setting.title for setting in set(settings))
    return {
        setting: f"{setting.title} · data {setting.fingerprint[:8]}"
        if counts[setting.title] > 1
        else setting.title
        for setting in settings
    }


def _positions_per_batch(cell: Cell) -> int:
    positions = cell.batch_size * cell.sequence_length
    whole = 1 << (positions - 1).bit_length()  # the power of two that whole sequences were cut from
    if cell.mode is Mode.PROBE and positions < FILLED * whole:
        return positions  # a batch that much smaller costs less: it is in no line with the others
    return whole
