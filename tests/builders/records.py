"""Cells, and the records of their runs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

from suite.api import Cell, Form, Job, Mode, Recipe, Status
from suite.api.conformance import KIT_VERSION
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.api.weights import WEIGHTS_FILE, write_about
from suite.matrix.planned_cells import ranking_facts
from suite.matrix.registry import load_registry
from suite.records.benchmarks import find_benchmark
from suite.records.model_sizes import MODEL_SIZES
from suite.records.naming import new_run_id
from suite.records.published import StoredRecord, local_record
from suite.records.schema import Conformance, Invocation, Measurement, Record
from suite.records.store import Store
from suite.records.weights import keep_weights
from tests.conftest import FAKES

REGISTRY = load_registry(())
TASK = REGISTRY.tasks.get("ner")
MINIATURE = find_benchmark("miniature", (str(FAKES),))
FINGERPRINT = MINIATURE.data["ner"]["128"]
"""The data of the benchmark of `FINAL`."""
CELL = Cell(
    mode=Mode.TRAIN,
    task="ner",
    form=Form.ENCODER,
    source="synthetic",
    options={"window": [64]},
    architecture="longformer",
    task_version=TASK.version,
    architecture_version=find_plugin(ARCHITECTURES, "longformer").version,
    sequence_length=128,
    batch_size=16,
    model_size="tiny",
    steps=1,
    precision="float32",
    backend="tensorflow",
    threads=2,
    seed=0,
    scores_test=True,
)
FINAL = dataclasses.replace(CELL, benchmark=MINIATURE.label, scores_test=True)
"""The same cell as a final run of a frozen benchmark."""
TRIAL = dataclasses.replace(CELL, scores_test=False)
"""The same cell as a run that scores validation alone."""
PROBE = dataclasses.replace(
    CELL, mode=Mode.PROBE, task=None, task_version=None, source=None, options={}, steps=0
)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_record(
    status: Status = Status.OK, minutes: int = 0, cell: Cell = CELL, **fields
) -> Record:
    moment = MOMENT + timedelta(minutes=minutes)
    task = REGISTRY.tasks.plugins.get(cell.task or "")
    benchmark = MINIATURE if cell.benchmark == MINIATURE.label else None
    given = {
        "run_id": new_run_id(moment),
        "cell_id": cell.id,
        "cell": cell,
        "status": status,
        "started_at": moment,
        "ended_at": moment + timedelta(seconds=9),
        "ranking": ranking_facts(cell, task, None, benchmark),
        "environment": {"processor": "abacus"},
        "conformance": Conformance(kit=KIT_VERSION),
        "invocation": Invocation(id="i1", started_at=MOMENT, command="bench run", planned_cells=1),
    }
    return Record(**{**given, **fields})


def measured(value: float) -> Measurement:
    """Return a measurement of one sample."""
    return Measurement(value=value, n=1, samples=(value,), method="by hand")


def stored(record: Record) -> StoredRecord:
    """Return a record of a home; its file is never read."""
    return local_record(record, Path("unread"))


def with_fields(run: StoredRecord, **fields) -> StoredRecord:
    """Return a run with other fields of its record; another cell has another id."""
    if "cell" in fields:
        fields = {"cell_id": fields["cell"].id, **fields}
    return dataclasses.replace(run, record=run.record.model_copy(update=fields))


def new_store(home: Path) -> Store:
    """Return a home with its folders."""
    store = Store(home)
    store.prepare()
    return store


def keep(store: Store, cell: Cell, folder: Path) -> dict:
    """Keep weights of a cell, and return their description in a record."""
    paths = (folder, folder, folder / "cell.npz")
    job = Job(cell, MODEL_SIZES["tiny"], Recipe(), None, (), *paths)
    job.weights.mkdir()
    (job.weights / WEIGHTS_FILE).write_bytes(b"weights")
    kept = write_about(job.weights, job, {})
    keep_weights(store, cell.id, job.weights)
    return {"weights": {"sha256": kept.sha256, "bytes": kept.num_bytes}}
