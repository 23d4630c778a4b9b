"""From a request to a plan: what `bench plan` shows and `bench run` runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from suite.analysis.tuning import read_choices
from suite.api import Limits, Status, Task, task_options
from suite.api.errors import HomeError, RequestError, unknown_name
from suite.api.plugins import search_path_from_environment
from suite.matrix.expansion import expand
from suite.matrix.plan import NOISY, Plan, plan
from suite.matrix.presets import find_preset
from suite.matrix.registry import Registry, load_registry
from suite.matrix.request import Request
from suite.records.environment import available_memory_bytes, has_accelerator, total_memory_bytes
from suite.records.store import Store

MEMORY_SHARE = 2 / 3
"""The part of the machine's memory that a cell may hold, unless --memory-limit says otherwise."""
MIN_DISK_BYTES = 256 * 2**20
MIN_MEMORY_BYTES = 1_536 * 2**20
"""What the framework itself takes, and a small model."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan and what it was made of."""

    plan: Plan
    registry: Registry
    tasks: dict[str, Task]
    digests: dict[str, str | None]
    search_path: tuple[str, ...]
    limits: Limits


def prepare(
    request: Request,
    store: Store,
    retry: Sequence[str] = (),
    rerun: bool = False,
    limits: Limits | None = None,
    any_machine: bool = False,
) -> Prepared:
    """Expand a request, look its data over, and compare it with what is done.

    Without `limits` each cell has those of the preset. What another kind of machine probed counts
    as done for `any_machine` alone.

    Raises:
        LengthwiseError: the request or its data cannot be.
    """
    search_path = search_path_from_environment()
    registry = load_registry(search_path)
    cells = expand(request, registry, read_choices())
    for backend in request.backends:
        if find_spec(backend) is None:
            raise RequestError(
                "The backend's package must be installed",
                received=f"backend {backend}",
                remedy=f'Install it: pip install -e ".[{backend}]"',
            )
    if "mixed_float16" in request.precisions and not has_accelerator():
        raise RequestError(
            "mixed_float16 needs an accelerator, and this machine shows none",
            received="precision mixed_float16",
            remedy="Take mixed_bfloat16 or float32",
        )
    tasks = {name: registry.tasks.get(name) for name in request.tasks or ()}
    any_cell = {planned.cell.task: planned for planned in cells}  # of a task they share the source
    digests: dict[str, str | None] = {}
    for name, task in tasks.items():
        planned = any_cell.get(name)
        if planned and planned.source:
            digests[name] = task.inspect(planned.source, task_options(task, planned.cell.options))
    limits = limits or make_limits(request.preset)
    made = plan(
        cells,
        store,
        digests,
        retry=retry,
        rerun=rerun,
        limits=limits,
        any_machine=any_machine,
        set_aside=tell_set_aside,
    )
    return Prepared(made, registry, tasks, digests, search_path, limits)


def make_limits(preset: str, seconds: float | None = None, memory: str | None = None) -> Limits:
    """Return a cell's limits: those given, else the preset's time, and most of the memory.

    Raises:
        RequestError: the memory is no size.
    """
    return Limits(
        seconds or find_preset(preset).time_limit_seconds,
        parse_size(memory) if memory else int(total_memory_bytes() * MEMORY_SHARE),
    )


def parse_size(text: str) -> int:
    """Read bytes from "8GiB" and the like.

    Raises:
        RequestError: it is no size, or its unit is unknown.
    """
    units = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
    for unit, factor in units.items():
        if text.endswith(unit):
            try:
                size = int(float(text[: -len(unit)]) * factor)
            except (ValueError, OverflowError):
                break
            if size > 0:
                return size
    raise RequestError(
        "A size is a number above 0 and a unit",
        received=repr(text),
        remedy=f"Write 8GiB; units: {', '.join(units)}",
    )


def refuse_if_too_little(store: Store) -> None:
    """Refuse to begin where a first cell could not end: too little disk or memory.

    Raises:
        HomeError: the disk is full.
        RequestError: the memory is taken.
    """
    free = shutil.disk_usage(store.home).free
    if free < MIN_DISK_BYTES:
        raise HomeError(
            f"Records and encoded data need {MIN_DISK_BYTES >> 20} MiB of disk to begin with",
            received=f"{free >> 20} MiB free at {store.home}",
            remedy="Make room or choose another --home",
        )
    available = available_memory_bytes()
    if available is not None and available < MIN_MEMORY_BYTES:
        raise RequestError(
            f"A cell needs {MIN_MEMORY_BYTES >> 20} MiB of memory to begin with",
            received=f"{available >> 20} MiB available",
            remedy="End what else is running",
        )


def parse_statuses(text: str | None) -> list[Status]:
    """Read a comma list of statuses.

    Raises:
        RequestError: one that is none.
    """
    statuses = []
    for name in (text or "").split(","):
        if name:
            if name not in list(Status):
                raise unknown_name("status", name, list(Status))
            statuses.append(Status(name))
    return statuses


def parse_retry(text: str | None) -> list[str]:
    """Read what is to run again: statuses, or `noisy`.

    Raises:
        RequestError: one that is neither.
    """
    names = [name for name in (text or "").split(",") if name]
    statuses = ",".join(name for name in names if name != NOISY)
    return [*parse_statuses(statuses), *([NOISY] if NOISY in names else [])]


def refuse_if_nothing_can_run(prepared: Prepared) -> None:
    """Refuse a matrix of which every cell is unsupported.

    Raises:
        RequestError: with the first reason.
    """
    cells = prepared.plan.cells
    if cells and all(planned.unsupported for planned in cells):
        first = cells[0]
        raise RequestError(
            "Nothing of this request can run",
            received=f"{first.cell.label}: {first.cell.architecture} {first.unsupported}",
            remedy="`bench list` shows what supports what",
        )


def tell_set_aside(path: Path, reason: str) -> None:
    """Report a file that was no record."""
    print(f"bench: a file that is no record was moved to {path}. {reason}", file=sys.stderr)
