"""Cells that run in a process, or that end at once without one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from suite.api import Job, Limits, Mode, Recipe
from suite.execution.executors.base import ProcessResult, Update
from suite.execution.executors.local import LocalExecutor
from suite.execution.runner import Runner
from suite.matrix.expansion import expand
from suite.matrix.plan import plan
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.model_sizes import MODEL_SIZES
from suite.records.schema import Invocation, utc_now
from suite.records.store import Store
from tests.conftest import FAKES

OUTCOME = {"status": "ok", "metrics": {"validation": {"entity_f1": 0.5}}}


class EndsAtOnce:
    """An executor whose cells end at once with an outcome."""

    def __init__(self, outcome=None):
        self.result = ProcessResult(outcome or OUTCOME, 0, None, "")
        self.started = []

    def has_room(self):
        return not self.started

    def start(self, run_id, job, limits):
        self.started.append(run_id)

    def wait(self):
        started, self.started = self.started, []
        return [Update(run_id, result=self.result) for run_id in started]

    def close(self):
        pass


def make_plan(cells, store: Store, **arguments):
    """Return a plan of cells whose data has no digest."""
    return plan(cells, store, {}, **arguments)


def run_plan(made, store: Store, outcome=None) -> list:
    """Run a plan whose cells end at once, and return the events."""
    prepared = SimpleNamespace(plan=made, limits=Limits(1.0, 1), digests={}, search_path=())
    invocation = Invocation(id="i", started_at=utc_now(), command="bench", planned_cells=1)
    return list(Runner(prepared, store, EndsAtOnce(outcome), invocation).events())


def probe_job(folder: Path, architecture: str, **asked) -> Job:
    """Return the job of a probe of `smoke`, to be done in a folder that is made."""
    folder.mkdir()
    request = Request(mode=Mode.PROBE, benchmark="smoke", architectures=(architecture,), **asked)
    (planned,) = expand(request, load_registry((str(FAKES),)))
    beside = folder.parent
    paths = (folder, beside, beside / "checkpoint.npz")
    return Job(planned.cell, MODEL_SIZES["tiny"], Recipe(), None, (str(FAKES),), *paths)


def outcome_of(job: Job, *, spawn: bool) -> dict:
    """Run one job in a spawned or a forked process."""
    executor = LocalExecutor(spawn=spawn)
    begin(executor, job)
    outcome = outcome_from(executor)
    executor.close()
    return outcome


def begin(executor: LocalExecutor, job: Job) -> None:
    executor.start(job.folder.name, job, Limits(seconds=200, memory_bytes=2**34))


def outcome_from(executor: LocalExecutor) -> dict:
    """Wait for the one running job, and return its outcome."""
    while True:
        for update in executor.wait():
            if update.result:
                return update.result.outcome
