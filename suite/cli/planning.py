"""From a request to a plan: what `bench plan` shows and `bench run` runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from suite.contracts import Status, Task, task_options
from suite.errors import RequestError, unknown_name
from suite.matrix import Request, expand
from suite.registry import Registry, load_registry, search_path_from_environment
from suite.runner import Plan, plan
from suite.store import Store
from suite.tuning import read_learning_rates


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan and what it was made of."""

    plan: Plan
    registry: Registry
    tasks: dict[str, Task]
    digests: dict[str, str | None]
    search_path: tuple[str, ...]


def prepare(
    request: Request, store: Store, retry: Sequence[Status] = (), rerun: bool = False
) -> Prepared:
    """Expand a request, look its data over, and compare it with what is done.

    Raises:
        LengthwiseError: the request or its data cannot be.
    """
    search_path = search_path_from_environment()
    registry = load_registry(search_path)
    cells = expand(request, registry, read_learning_rates())
    if find_spec(request.backend) is None:
        raise RequestError(
            "The backend's package must be installed",
            received=f"backend {request.backend}",
            remedy=f'Install it: pip install -e ".[{request.backend}]"',
        )
    tasks = {name: registry.tasks.get(name) for name in request.tasks or ()}
    any_cell = {planned.cell.task: planned for planned in cells}  # of a task they share the source
    digests: dict[str, str | None] = {}
    for name, task in tasks.items():
        planned = any_cell.get(name)
        if planned and planned.source:
            digests[name] = task.inspect(planned.source, task_options(task, planned.cell.options))
    made = plan(cells, store, digests, retry=retry, rerun=rerun, set_aside=tell_set_aside)
    return Prepared(made, registry, tasks, digests, search_path)


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
