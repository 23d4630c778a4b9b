"""Prepare a request: find plug-ins, expand the matrix, inspect data, compare with the records."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from suite.api import (
    ACCELERATOR_PRECISIONS,
    Cell,
    DataNotPrepared,
    HomeError,
    Limits,
    RequestError,
    Task,
    task_options,
)
from suite.api.code_digest import digest_code
from suite.api.plugins import plugin_calls, search_path_from_environment
from suite.execution.quantities import parse_size
from suite.matrix.expansion import expand
from suite.matrix.plan import NOISY, Plan, Rerun, check_rerun, check_statuses, plan
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import Registry, load_registry
from suite.matrix.request import Request
from suite.records.benchmarks import Benchmark, find_benchmark
from suite.records.environment import available_memory_bytes, has_accelerator, total_memory_bytes
from suite.records.naming import cell_label, options_text
from suite.records.schema import TuningChoice
from suite.records.store import Store
from suite.records.tuned_rates import TUNING, find_tuned_rate

MEMORY_SHARE = 2 / 3
"""A cell's default memory limit, as a share of the machine's memory."""
FEW = 3
"""Up to this number, a command names the architectures."""
MIN_DISK_BYTES = 256 * 2**20
MIN_MEMORY_BYTES = 1_536 * 2**20
"""The memory of the framework and a small model."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and what running it needs.

    `digests` holds the digest of each task's source; None for one that is yet to be downloaded.
    `missing_data` has a message for each task whose data set is not prepared, if that was accepted.
    `left_out` names by task the architectures that the user did not name and that cannot run it.
    """

    plan: Plan
    benchmark: Benchmark
    registry: Registry
    tasks: Mapping[str, Task]
    digests: Mapping[str, str | None]
    search_path: tuple[str, ...]
    limits: Limits
    missing_data: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def data_notes(self) -> list[str]:
        """Notes on the data for the user."""
        return [*self.missing_data.values(), *self.remarks]

    @property
    def left_out_note(self) -> str | None:
        """A note on the architectures that were left out; None if there are none."""
        parts = [f"{', '.join(names)} for {task}" for task, names in self.left_out.items()]
        named = f"Left out, because they cannot run the task: {'; '.join(parts)}"
        return f"{named} (`bench list NAME` says why)" if parts else None

    @property
    def untuned(self) -> list[PlannedCell]:
        """The cells to run of a benchmark that tunes for which no learning rate is tuned.

        Those of a draft can run as trials. Without its data set, it is unknown whether a cell has a
        rate.
        """
        return [
            planned
            for planned in self.plan.to_run
            if planned.of_benchmark
            and planned.cell.task is not None
            and planned.cell.task not in self.missing_data
            and planned.ranking.tuning is None
            and self.benchmark.tuning
        ]

    @property
    def waiting(self) -> list[PlannedCell]:
        """The final runs that cannot start before `bench tune` chooses their learning rates."""
        return self.untuned if self.benchmark.is_frozen else []

    @property
    def changed_note(self) -> str | None:
        """A note on the trainings whose code has changed since; None if there are none."""
        count = len(self.plan.changed)
        if not count:
            return None
        return (
            f"{count} cell{'' if count == 1 else 's'} changed: code changed since; raise the "
            "version, or run again with --rerun changed"
        )

    @property
    def tune_command(self) -> str:
        """The command that tunes the learning rates of `untuned`."""
        source = self.untuned[0].source
        tasks = ",".join(sorted({str(planned.cell.task) for planned in self.untuned}))
        data = f"{source.kind}:{source.argument}".rstrip(":") if source else ""
        words = f"bench tune --benchmark {self.benchmark.name} --task {tasks} --data {data}"
        names = sorted({planned.cell.architecture for planned in self.untuned})
        return words + (f" --architectures {','.join(names)}" if len(names) <= FEW else "")

    @property
    def devices_per_cell(self) -> int:
        """The most devices that a cell to run is split over."""
        split = [planned.cell.options.get("devices", 1) for planned in self.plan.to_run]
        return max(split, default=1)


@plugin_calls()
def prepare(
    request: Request,
    store: Store,
    *,
    retry: Sequence[str] = (),
    rerun: Rerun = False,
    limits: Limits | None = None,
    any_machine: bool = False,
    tuning: Path | None = TUNING,
    accept_missing_data: bool = False,
    keep_weights: bool = False,
    runs_elsewhere: bool = False,
    search_path: Sequence[str] | None = None,
) -> Prepared:
    """Expand a request, inspect its data, and find which cells are done.

    `retry`, `rerun`, `any_machine` and `keep_weights` are those of `plan`. `limits` are by default
    those of the benchmark. `tuning` is the folder of the tuned learning rates, or None to use none.
    `accept_missing_data` plans cells whose data set is not prepared here; their records are valid,
    whatever data they had. `runs_elsewhere` leaves the backends and precisions of this machine
    unchecked. `search_path` has the folders of plug-ins, by default those in BENCH_PATH.

    Raises:
        LengthwiseError: the request or its data is invalid.
    """
    search_path = search_path_from_environment() if search_path is None else tuple(search_path)
    registry = load_registry(search_path)
    cells = expand(request, registry)
    if not runs_elsewhere:
        check_backends(planned.cell.backend for planned in cells)
        _check_precisions(cells)
    names = dict.fromkeys(planned.cell.task for planned in cells if planned.cell.task)
    tasks = {name: registry.tasks.get(name) for name in names}
    digests, missing_data, remarks = _inspect_sources(cells, tasks, accept_missing_data)

    def find_rate(cell: Cell) -> TuningChoice | None:
        return find_tuned_rate(cell, digests.get(cell.task or ""), tuning) if tuning else None

    if tuning and any((tuning / name).is_dir() for name in tasks):
        cells = expand(request, registry, find_rate)
    left_out = _unable(cells) if request.architectures is None else {}
    cells = [
        planned
        for planned in cells
        if planned.cell.architecture not in left_out.get(planned.cell.task or "", ())
    ]
    limits = limits or make_limits(request.benchmark)

    compared = plan(
        cells,
        store,
        digests,
        code_of=digest_code(search_path),
        retry=check_statuses(retry, NOISY),
        rerun=check_rerun(rerun),
        limits=limits,
        any_machine=any_machine,
        keep_weights=keep_weights,
    )
    benchmark = registry.benchmarks.get(request.benchmark)
    return Prepared(
        compared,
        benchmark,
        registry,
        tasks,
        digests,
        search_path,
        limits,
        missing_data,
        remarks,
        left_out,
    )


def _unable(cells: Sequence[PlannedCell]) -> dict[str, list[str]]:
    """Return by task the architectures none of whose cells is supported.

    A task that no architecture can run keeps its cells, whose reasons are then reported.
    """
    able: dict[str, dict[str, bool]] = {}
    for planned in cells:
        of_task = able.setdefault(planned.cell.task or "", {})
        name = planned.cell.architecture
        of_task[name] = of_task.get(name, False) or not planned.unsupported
    unable = {
        task: sorted(name for name, is_able in of_task.items() if not is_able)
        for task, of_task in able.items()
        if task and any(of_task.values())
    }
    return {task: names for task, names in unable.items() if names}


def make_limits(benchmark: str, seconds: float | None = None, memory: str | None = None) -> Limits:
    """Return a cell's limits; by default the benchmark's time, and `MEMORY_SHARE` of the memory.

    Raises:
        RequestError: `memory` is not a size, or there is no such benchmark.
    """
    return Limits(
        seconds or find_benchmark(benchmark, search_path_from_environment()).time_limit_seconds,
        parse_size(memory) if memory else int(total_memory_bytes() * MEMORY_SHARE),
    )


def check_any_can_run(prepared: Prepared) -> None:
    """Raise a RequestError with the first reason if all cells are unsupported."""
    cells = prepared.plan.cells
    if cells and all(planned.unsupported for planned in cells):
        first = cells[0]
        raise RequestError(
            "No cell of this request can run",
            received=f"{cell_label(first.cell, first.ranking)}: {first.unsupported}",
            remedy="Change what the reason names; `bench list` shows which architecture supports "
            "which task",
        )


def check_tuned(prepared: Prepared) -> None:
    """Raise a RequestError if a final run of a benchmark that tunes has no tuned learning rate."""
    if waiting := prepared.waiting:
        count = len(waiting)
        raise RequestError(
            f"A final run of the benchmark '{prepared.benchmark.name}' needs a learning rate that "
            "was tuned on the same data",
            received=f"{count} cell{'' if count == 1 else 's'} without one, the first "
            f"{cell_label(waiting[0].cell, waiting[0].ranking)}",
            remedy=f"Run `{prepared.tune_command}` first",
        )


def check_resources(store: Store) -> None:
    """Raise a HomeError or a RequestError if a first cell lacks disk or memory."""
    free = shutil.disk_usage(store.home).free
    if free < MIN_DISK_BYTES:
        raise HomeError(
            f"Records and encoded data need at least {MIN_DISK_BYTES >> 20} MiB of disk",
            received=f"{free >> 20} MiB free at {store.home}",
            remedy="Make room or choose another --home",
        )
    available = available_memory_bytes()
    if available is not None and available < MIN_MEMORY_BYTES:
        raise RequestError(
            f"A cell needs at least {MIN_MEMORY_BYTES >> 20} MiB of memory",
            received=f"{available >> 20} MiB available",
            remedy="End other programs first",
        )


def check_backends(backends: Iterable[str]) -> None:
    """Raise a RequestError if the package of a backend is not installed."""
    for backend in sorted(set(backends)):
        if find_spec(backend) is None:
            raise RequestError(
                "The backend's package is not installed",
                received=f"backend {backend}",
                remedy=f"In the checkout: make setup EXTRAS={backend}",
            )


def _check_precisions(cells: Iterable[PlannedCell]) -> None:
    special = {planned.cell.precision for planned in cells} & ACCELERATOR_PRECISIONS
    if special and not has_accelerator():
        name = min(special)
        raise RequestError(
            f"{name} needs an accelerator, and this machine has none",
            received=f"precision {name}",
            remedy="Use mixed_bfloat16 or float32",
        )


def _inspect_sources(
    cells: Iterable[PlannedCell], tasks: Mapping[str, Task], accept_missing_data: bool
) -> tuple[dict[str, str | None], dict[str, str], list[str]]:
    """Return by task the digest of its source, and a message where its data set is not prepared.

    The third value has the remarks of all tasks. All cells of a task share the source.
    """
    settings = {
        (planned.cell.task, options_text(options)): (planned.source, options)
        for planned in cells
        if planned.cell.task and planned.source
        for options in [task_options(tasks[planned.cell.task], planned.cell.options)]
    }
    digests: dict[str, str | None] = {}
    missing: dict[str, str] = {}
    remarks: dict[str, None] = {}
    for (name, text), (source, options) in settings.items():
        task = tasks[str(name)]
        try:
            digest = task.inspect(source, options)
            remarks |= dict.fromkeys(
                f"{name}: {remark}" for remark in task.remarks(source, options)
            )
        except DataNotPrepared as error:
            if not accept_missing_data:
                raise
            digest = None
            missing[str(name)] = f"{name}: {error}"
        if digests.setdefault(str(name), digest) != digest:
            raise RequestError(
                f"All settings of the task '{name}' in a request have the same data",
                received=f"other data with {text}",
                remedy="Request the settings one by one",
            )
    return digests, missing, list(remarks)
