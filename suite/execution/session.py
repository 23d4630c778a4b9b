"""A session: one command or call that runs plans on one executor and reports events.

The command line and the Python API use sessions alike. A session knows nothing of MLflow and of
displays; they listen to its events.
"""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.api import RequestError
from suite.execution.conformance_checks import check_ranked
from suite.execution.executors.base import Executor
from suite.execution.executors.local import LocalExecutor, accelerator_groups
from suite.execution.preparation import Prepared, check_resources
from suite.execution.runner import Event, Finished, OnEvent, Runner
from suite.matrix.durations import Deadline
from suite.records.environment import needs_spawn
from suite.records.schema import Invocation, Record, utc_now
from suite.records.store import Store

MakeExecutor = Callable[[], Executor]


class Interrupted(KeyboardInterrupt):
    """The user interrupted a run; `records` holds the records of its cells so far."""

    def __init__(self, records: Sequence[Record]) -> None:
        super().__init__()
        self.records = records


@dataclass
class Session:
    """Runs plans one after another on one executor, as one invocation.

    Each of `listeners` gets every event, also those of an interruption.
    """

    store: Store
    invocation: Invocation
    make_executor: MakeExecutor
    listeners: Sequence[OnEvent] = ()
    deadline: Deadline | None = None
    _executor: Executor | None = None
    _active: list[Generator[Event, None, None]] = field(default_factory=list)

    def events(self, prepared: Prepared) -> Generator[Event, None, None]:
        """Run the cells of a plan that are to run, and yield each event.

        The conformance kit first checks the architectures of ranked cells that it has not checked.
        Cells that are done come next, with `reused=True`. On KeyboardInterrupt, the running cells
        are killed and recorded as `interrupted`, and the exception is raised again.

        Raises:
            LengthwiseError: there is too little disk or memory, or a record cannot be written.
        """
        if prepared.plan.to_run:
            check_resources(self.store)
        if self._executor is None:
            self._executor = self.make_executor()
        runner = Runner(
            prepared, self.store, self._executor, self.invocation, self._tell, self.deadline
        )
        events = self._checked(runner)
        self._active.append(events)
        return events

    def _checked(self, runner: Runner) -> Generator[Event, None, None]:
        prepared = runner.prepared
        for event in check_ranked(prepared.plan.to_run, self.store, prepared.search_path):
            self._tell(event)
            yield event
        yield from runner.events()

    def run(self, prepared: Prepared, on_event: OnEvent = lambda event: None) -> list[Record]:
        """Run the cells of a plan that are to run, and return the records of all its cells.

        Raises:
            Interrupted: the user interrupted the run with Ctrl-C.
        """
        records = []
        try:
            for event in self.events(prepared):
                on_event(event)
                if isinstance(event, Finished):
                    records.append(event.record)
        except KeyboardInterrupt:
            self.close()
            raise Interrupted(records) from None
        return records

    def close(self) -> None:
        """Interrupt what still runs and release the executor."""
        for events in self._active:
            events.close()
        self._active.clear()
        if self._executor is not None:
            self._executor.close()
            self._executor = None

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)


def make_invocation(command: str, planned_cells: int | None) -> Invocation:
    """Return an invocation with a new id that starts now."""
    now = utc_now()
    return Invocation(
        id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        started_at=now,
        command=command,
        planned_cells=planned_cells,
    )


def local_executor(
    parallel: int | None = None, devices_per_cell: int = 1
) -> Callable[[], LocalExecutor]:
    """Return what makes an executor here: by default of one cell, or one on each accelerator."""

    def make() -> LocalExecutor:
        accelerators = accelerator_groups(devices_per_cell)
        return LocalExecutor(parallel or max(1, len(accelerators)), needs_spawn(), accelerators)

    return make


def cluster_executor(name: str, *settings: Any) -> MakeExecutor:
    """Return what makes an executor of some settings on a cluster: "ray" or "slurm".

    Calling it raises RequestError where the extra is not installed or no cluster answers.
    """

    def make() -> Executor:
        try:
            module = importlib.import_module(f"suite.execution.executors.{name}")
        except ImportError:
            raise RequestError(
                f"The executor '{name}' needs its extra",
                remedy=f"In the checkout: make setup EXTRAS={name}",
            ) from None
        executor: Executor = getattr(module, f"{name.title()}Executor")(*settings)
        return executor

    return make
