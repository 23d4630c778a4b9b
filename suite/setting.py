"""What records must share to be compared, and how they are put together by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from suite.contracts import Cell, Mode, Task
from suite.record import Record

Item = TypeVar("Item")

FILLED = 0.9
"""Probes whose batches fill less of that power of two are compared among themselves."""
REPEATED = ("seed", "round")
"""The fields in which the cells of one point differ."""


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """All that lines of one comparison have in common, but for the length.

    `task_options` are the options that make another task of it ("units=bytes"); those of the
    recipe and of architectures name a line instead. `positions_per_batch` is the power of two from
    which whole sequences were cut to make a batch, and 0 where a probe is measured one sequence at
    a time. `fingerprint` is that of the data.
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
    threads: int
    protocol: int
    fingerprint: str = ""
    machine: str = ""

    @property
    def title(self) -> str:
        """Say it in words, the data's fingerprint left out."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}" if self.threads else ""
        if self.mode is Mode.PROBE:
            what = ["probe", self.form.replace("_", "-")]
            batch = f"{self.positions_per_batch:,} tokens a batch"
            last = [batch if self.positions_per_batch else "batch 1"]
        else:
            what = [self.task, self.source, self.task_options]
            last = [f"budget {self.budget:,}", f"{self.positions_per_batch:,} a batch"]
        how = [f"model size {self.model_size}", self.backend, self.precision, threads]
        return " · ".join(part for part in [*what, *how, *last, self.machine] if part)


def setting_of(record: Record, tasks: Mapping[str, Task]) -> Setting:
    """Return a record's setting."""
    cell = record.cell
    names = _task_options(cell, tasks)
    of_task = {name: cell.options[name] for name in cell.options if name in names}
    return Setting(
        mode=cell.mode,
        task=cell.task or "",
        source=cell.source or "",
        task_options=options_text(of_task),
        form=str(cell.form),
        model_size=cell.model_size,
        budget=cell.budget,
        precision=cell.precision,
        backend=cell.backend,
        positions_per_batch=_positions_per_batch(cell),
        threads=cell.threads,
        protocol=record.protocol,
        fingerprint=str((record.data or {}).get("fingerprint") or ""),
    )


def group(
    items: Iterable[Item],
    setting_of_item: Callable[[Item], Setting],
    cell_of: Callable[[Item], Cell],
) -> dict[Setting, list[Item]]:
    """Put records, or what holds one, together by setting, in order.

    A probe of one sequence that is as long as a batch of others belongs to both series: that of
    one sequence at a time, and that of as many tokens a batch. What was not run, and so knows no
    fingerprint, goes with what was.
    """
    groups: dict[Setting, list[Item]] = {}
    for item in items:
        groups.setdefault(setting_of_item(item), []).append(item)
    known = {replace(setting, fingerprint=""): setting for setting in groups if setting.fingerprint}
    for setting in [setting for setting in groups if setting in known]:
        groups[known[setting]] += groups.pop(setting)
    for setting in [s for s in groups if s.mode is Mode.PROBE and not s.positions_per_batch]:
        for item in groups[setting]:
            length = _power_of_two(cell_of(item).sequence_length)
            other = replace(setting, positions_per_batch=length)
            if other in groups:
                groups[other].append(item)
    return dict(sorted(groups.items()))


def titles(settings: Iterable[Setting]) -> dict[Setting, str]:
    """Return each setting's title, with the data's fingerprint where titles would be the same."""
    settings = list(settings)
    counts = Counter(setting.title for setting in set(settings))
    return {
        setting: f"{setting.title} · data {setting.fingerprint[:8]}"
        if counts[setting.title] > 1
        else setting.title
        for setting in settings
    }


def line_name(cell: Cell, tasks: Mapping[str, Task]) -> str:
    """Name the line of a comparison: the architecture, and the options that are not the task's."""
    names = _task_options(cell, tasks)
    own = {name: cell.options[name] for name in cell.options if name not in names}
    return f"{cell.architecture} ({options_text(own)})" if own else cell.architecture


def options_text(options: Mapping[str, object]) -> str:
    """Write options as "name=value name=value", sorted."""
    return " ".join(f"{name}={value}" for name, value in sorted(options.items()))


def _task_options(cell: Cell, tasks: Mapping[str, Task]) -> Collection[str]:
    task = tasks.get(cell.task or "")
    return task.options if task else ()


def _positions_per_batch(cell: Cell) -> int:
    if cell.mode is Mode.PROBE and cell.batch_size == 1:
        return 0
    positions = cell.batch_size * cell.sequence_length
    whole = _power_of_two(positions)
    if cell.mode is Mode.PROBE and positions < FILLED * whole:
        return positions  # a batch that much smaller costs less: it is in no line with the others
    return whole


def _power_of_two(number: int) -> int:
    """Return the least power of two that is not smaller: what whole sequences were cut from."""
    return 1 << (number - 1).bit_length()
