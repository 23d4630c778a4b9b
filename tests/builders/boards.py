"""Records of boards: entries of a task at a length, with seeds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from suite.api import Status
from suite.matrix.registry import load_registry
from suite.records.published import StoredRecord
from tests.builders.records import FINAL, make_record

REGISTRY = load_registry(())


TASKS, VERSIONS = REGISTRY.tasks.plugins, REGISTRY.task_versions


UNREAD = Path("records are compared by what was read of them")


def entry(architecture="vanilla", f1=0.5, seed=0, machine="here",
          fingerprint="f", minutes=0, protocol=None, num_parts=4, **cell):  # fmt: skip
    made = dataclasses.replace(
        FINAL, **{"architecture": architecture, "seed": seed, "options": {}, **cell}
    )
    record = make_record(
        Status.OK,
        minutes,
        made,
        metrics={"test": {"entity_f1": f1}},
        reports={"test": {"without_part": {"entity_f1": (f1,) * num_parts}}},
        data={"fingerprint": fingerprint},
        parameter_count=7,
        worker_seconds=9.0,
    )
    if protocol is not None:
        record = record.model_copy(update={"protocol": protocol})
    return StoredRecord(record, machine, UNREAD)


def seeds(architecture, values, **fields):
    return [entry(architecture, f1, seed, **fields) for seed, f1 in enumerate(values)]
