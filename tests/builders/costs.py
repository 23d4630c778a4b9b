"""Records of costs in interleaved sessions."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

from suite.api import Mode, Status
from suite.records.published import StoredRecord
from suite.records.schema import Invocation, Measurement
from tests.builders.records import CELL, MOMENT, make_record

SPEED, MEMORY = "training.tokens_per_second", "training.peak_memory_bytes"


MACHINE = {
    "host_name": "host-a",
    "processor": "abacus (family 1, model 2)",
    "num_cores": 2,
    "memory_bytes": 16 * 2**30 - 5,
    "accelerators": [],
    "devices": ["CPU"],
    "packages": {"tensorflow": "2.1", "keras": "3.1", "numpy": "2.0", "jax": "0.1"},
}


def cost(entry, speed, session=1, *, digest="d1", noisy=(), round=0, length=512, mode=Mode.PROBE,
         status=Status.OK, details=None, measures=None, **environment):  # fmt: skip
    """Return the record of a probe, or of a training, of an entry in a session."""
    fields = {"options": {}, "architecture": entry, "sequence_length": length}
    if mode is Mode.PROBE:
        fields |= {"mode": mode, "task": None, "task_version": None, "source": None, "steps": 0}
        fields |= {"round": round, "seed": 0, "batch_size": 8_192 // length}
    else:
        fields |= {"seed": round}
    cell = dataclasses.replace(CELL, **fields)
    values = measures or {SPEED: speed, MEMORY: 2.0**20 * speed}
    measured: dict[str, dict[str, Measurement]] = {}
    for name, value in values.items():
        phase, _, what = name.partition(".")
        measured.setdefault(phase, {})[what] = Measurement(value=value, n=1)
    started = MOMENT + timedelta(hours=session)
    record = make_record(
        status,
        60 * session + round,
        cell,
        measurements=measured if status is Status.OK else {},
        metrics={"test": {"entity_f1": 0.5}} if mode is Mode.TRAIN else {},
        data={"fingerprint": "f"} if mode is Mode.TRAIN else None,
        details={"noisy": noisy, **(details or {})},
        environment={**MACHINE, "cost_digest": digest, **environment},
        invocation=Invocation(
            id=f"session-{session}", started_at=started, command="bench run", planned_cells=9
        ),
    )
    return StoredRecord(record, "here", Path("unread"))


def rounds(entry, speed, session=1, **fields):
    """Return three rounds whose geometric mean is the speed."""
    return [
        cost(entry, speed * factor, session, round=number, **fields)
        for number, factor in enumerate((0.99, 1.0, 1 / 0.99))
    ]
