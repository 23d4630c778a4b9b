"""The job of a planned cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from suite.api import Job
from suite.matrix.model_sizes import find_model_size
from suite.matrix.planned_cells import PlannedCell


def make_job(
    planned: PlannedCell,
    digests: Mapping[str, str | None],
    search_path: tuple[str, ...],
    *,
    folder: Path,
    cache: Path,
    checkpoint: Path,
    parents: Mapping[str, Path] | None = None,
) -> Job:
    """Return the job that a worker process gets for a cell.

    Args:
        planned: the cell and its source.
        digests: the digest of each task's source; None for a source that is not downloaded yet.
        search_path: the folders of external plug-ins.
        folder: the job's folder.
        cache: the folder of encoded data.
        checkpoint: the file of the training's state.
        parents: the folder of the trained model of each role.
    """
    cell = planned.cell
    return Job(
        cell=cell,
        model_size=find_model_size(cell.model_size),
        recipe=planned.recipe,
        source=planned.source,
        search_path=search_path,
        folder=folder,
        cache=cache,
        checkpoint=checkpoint,
        source_digest=digests.get(cell.task or ""),
        parents=parents or {},
        keeps_weights=planned.keeps_weights,
        draws_samples=planned.draws_samples,
    )
