"""Records and queries that the tests of tracking share."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from suite.api import Status
from suite.records.schema import Curve, Record
from tests.builders.records import CELL, make_record, measured


def good_record(length: int, seed: int = 0, f1: float = 0.5, minutes: int = 0, **fields) -> Record:
    batch_size = CELL.batch_size * CELL.sequence_length // length
    cell = dataclasses.replace(CELL, sequence_length=length, batch_size=batch_size, seed=seed)
    defaults = {
        "metrics": {"test": {"entity_f1": f1}},
        "measurements": {"training": {"tokens_per_second": measured(1e6 / length)}},
        "curves": {"training_loss": Curve(tokens=tuple(range(200)), values=(1.0,) * 200)},
        "data": {"fingerprint": "f" * 64, "digest": None},
        "parameter_count": 9,
    }
    return make_record(Status.OK, minutes, cell, **{**defaults, **fields})


def runs_at(uri: str, name: str = "ner") -> list[Run]:
    """Return the runs of an experiment."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    return list(client.search_runs([experiment.experiment_id], max_results=5_000))


def runs_of_kind(uri: str, kind: str, name: str = "ner") -> list[Run]:
    return [run for run in runs_at(uri, name) if run.data.tags["lengthwise.kind"] == kind]


def count_kinds(uri: str) -> Counter[str]:
    return Counter(run.data.tags["lengthwise.kind"] for run in runs_at(uri))


def read_artifact(uri: str, run: Run, name: str) -> str:
    return Path(MlflowClient(uri).download_artifacts(run.info.run_id, name)).read_text()
