"""The trained models that a cell takes from other cells."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from suite.api import Status
from suite.matrix.planned_cells import PlannedCell
from suite.records.schema import Record
from suite.records.store import Store
from suite.records.weights import has_weights, weights_folder


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
        if not has_weights(store, cell_id):
            return f"the weights of its parent {cell_id} ({role}) could not be kept"
    return None


def parent_folders(planned: PlannedCell, store: Store) -> dict[str, Path]:
    """Return the folder of the trained model of each role."""
    return {role: weights_folder(store, cell_id) for role, cell_id in planned.parents.items()}
