"""The job of a planned cell, and the trained models that it takes from other cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from suite.api import Job, Status
from suite.api.errors import RequestError
from suite.matrix.planned_cells import PlannedCell
from suite.records.model_sizes import find_model_size
from suite.records.naming import cell_label
from suite.records.schema import Record
from suite.records.store import Store
from suite.records.weights import has_weights


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

    `digests` has the digest of each task's source, None for one that is not downloaded yet.
    `parents` has the folder of the trained model of each role.
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


def parent_problem(planned: PlannedCell, records: Iterable[Record], store: Store) -> str | None:
    """Return why a cell cannot take the models of its parents, or None if it can.

    `records` are those of the parents, among others; the last of a cell counts.
    """
    if not planned.parents:
        return None
    latest = {record.cell_id: record for record in records}
    for role, cell_id in planned.parents.items():
        record = latest.get(cell_id)
        if record is None or record.status is not Status.OK:
            status = record.status if record else "without a record"
            reason = f": {record.reason}" if record and record.reason else ""
            return f"its parent {cell_id} ({role}) is {status}{reason}"
        if not has_weights(store, record):
            return f"the weights of its parent {cell_id} ({role}) could not be kept"
    return None


def check_no_weights(cells: Iterable[PlannedCell], where: str) -> None:
    """Check that no cell takes or keeps trained weights: `where` it would run has no weights.

    Raises:
        RequestError: a cell does.
    """
    for planned in cells:
        if planned.parents or planned.keeps_weights:
            does = "takes a trained model" if planned.parents else "keeps its weights"
            raise RequestError(
                f"Trained weights stay on the machine that runs `bench`, and not {where}",
                received=f"{cell_label(planned.cell, planned.ranking)}, which {does}",
                remedy="Run these cells here: `bench run` with the local executor",
            )
