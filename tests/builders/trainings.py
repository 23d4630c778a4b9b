"""Small trainings of planned cells in the process of the tests."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite.api import Examples, Job
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.matrix.expansion import expand
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.model_sizes import MODEL_SIZES
from suite.worker.data import encoded
from suite.worker.measure import timing, warmup
from suite.worker.train import cell
from tests.encoded_data import Cache


class Interrupted(BaseException):
    """The end of a process, which no handler of exceptions catches."""


def plan(task: str, architecture: str, *methods: str, **settings: Any) -> list[PlannedCell]:
    """Return a small cell with methods after the cells that it needs, without XLA.

    `settings` are fields of the request.
    """
    request = {
        "tasks": (task,),
        "architectures": (architecture,),
        "lengths": (32,),
        "seeds": (0,),
        "steps": 8,
        "batch_size": 4,
        "methods": (methods,),
        **settings,
        "options": {"compile": "graph", **settings.get("options", {})},
    }
    return expand(Request(**request), load_registry(()))


def job_of(planned: PlannedCell, folder: Path) -> Job:
    """Return the job of a planned cell; its weights and those of its parents are in `folder`."""
    return Job(
        cell=planned.cell,
        model_size=replace(MODEL_SIZES["tiny"], num_layers=1),  # compiling takes time
        recipe=planned.recipe,
        source=planned.source,
        search_path=(),
        folder=folder / planned.cell.id,
        cache=Cache.folder,
        checkpoint=folder / planned.cell.id / "cell.npz",
        source_digest="d",
        parents={role: folder / parent / "weights" for role, parent in planned.parents.items()},
        keeps_weights=planned.keeps_weights,
    )


def make_job(folder, task, architecture, steps, *, score_test=False, methods=(), **options) -> Job:
    """Return the job of a small training; its files are in `folder`."""
    settings = {"steps": steps, "score_test": score_test, "options": options}
    (planned,) = plan(task, architecture, *methods, **settings)
    return replace(job_of(planned, folder), folder=folder, checkpoint=folder / "cell.npz")


def measure_briefly(patch: pytest.MonkeyPatch) -> None:
    """Take the fewest samples that a record may hold, without a warm-up."""
    patch.setattr(warmup, "throwaway_step", lambda xla: None)
    patch.setattr(timing, "ATTEMPTS", 1)
    for name in ("BLOCK_SECONDS", "MIN_SECONDS", "LATENCY_SECONDS"):
        patch.setattr(timing, name, 0.0)


def run(job: Job, stop_at: float = math.inf, kept: list | None = None) -> dict[str, Any]:
    """Run a job with brief measurements, and return its outcome.

    `kept` gets the unfinished outcomes.

    Raises:
        Interrupted: the training reached the share `stop_at`.
    """

    def report_progress(phase: str, fraction: float, loss: float | None = None) -> None:
        if phase == "training" and fraction >= stop_at:
            raise Interrupted

    job.folder.mkdir(parents=True, exist_ok=True)
    task = find_plugin(TASKS, job.cell.task)
    architecture = find_plugin(ARCHITECTURES, job.cell.architecture)
    write = (lambda outcome: None) if kept is None else kept.append
    with pytest.MonkeyPatch.context() as patch:
        measure_briefly(patch)
        return cell.run(job, task, architecture, (), report_progress, write)


def run_planned(folder: Path, *asked: str, **settings: Any) -> list[dict[str, Any]]:
    """Plan a cell as `plan` does, run it after its parents, and return the outcomes."""
    return [run(job_of(planned, folder)) for planned in plan(*asked, **settings)]


def results(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return what an interruption must not change."""
    curves, details = outcome["curves"], outcome["details"]
    return {
        "metrics": outcome["metrics"],
        "reports": outcome["reports"],
        "validation": next(curves[name] for name in curves if name.startswith("validation_")),
        "steps": details["training_steps"],
        "tokens": details["training_tokens"],
        "best": details["best_weights_at_tokens"],
        "methods": details.get("methods"),
    }


def cut(examples: Examples, count: int = 8) -> Examples:
    """Return the first examples."""
    parts = (examples.features, examples.targets)
    return Examples(*({name: part[name][:count] for name in part} for part in parts))


def score_few(monkeypatch, count: int = 8) -> None:
    """Score the first examples of each split only; the training is the same."""
    load = encoded.load

    def load_few(*arguments):
        data = load(*arguments)
        return replace(data, validation=cut(data.validation, count), test=cut(data.test, count))

    monkeypatch.setattr(encoded, "load", load_few)
