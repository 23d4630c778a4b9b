"""Small cells with methods, planned with their parents, and run in the process of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from suite.api import Job
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.matrix.expansion import expand
from suite.matrix.model_sizes import MODEL_SIZES
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.worker.train import cell as train_cell

SIZE = replace(MODEL_SIZES["tiny"], num_layers=1)  # compiling takes time


def plan(task: str, architecture: str, *methods: str, **settings: Any) -> list[PlannedCell]:
    """Return the cells of one small training with methods: its parents come first."""
    request = {
        "tasks": (task,),
        "architectures": (architecture,),
        "lengths": (32,),
        "seeds": (0,),
        "steps": 8,
        "batch_size": 4,
        "options": {"compile": "graph"},
        "methods": (methods,),
        **settings,
    }
    return expand(Request(**request), load_registry(()))


def make_job(planned: PlannedCell, folder: Path, parents: Mapping[str, Path] | None = None) -> Job:
    """Return the job of a planned cell; `parents` maps roles to folders of kept weights."""
    folder.mkdir()
    return Job(
        cell=planned.cell,
        model_size=SIZE,
        recipe=planned.recipe,
        source=planned.source,
        search_path=(),
        folder=folder,
        cache=folder.parent / "cache",
        checkpoint=folder / "cell.npz",
        source_digest="d",
        parents=parents or {},
        keeps_weights=planned.keeps_weights,
    )


def run(job: Job) -> dict[str, Any]:
    """Run a job and return its outcome."""
    task = find_plugin(TASKS, job.cell.task)
    architecture = find_plugin(ARCHITECTURES, job.cell.architecture)
    return train_cell.run(job, task, architecture, (), lambda *given: None, lambda outcome: None)
