"""Kept weights as logged models of MLflow: once, with their run, parameters, scores and data."""

from __future__ import annotations

import dataclasses
import json

import pytest
from mlflow.entities import LoggedModelStatus
from mlflow.tracking import MlflowClient

from suite.api import AppliedMethod, HomeError
from suite.api.weights import WEIGHTS_FILE
from suite.records.weights import weights_folder
from suite.tracking.models import log_models
from suite.tracking.sync import sync
from tests.builders.records import keep
from tests.suite.tracking.helpers import good_record, runs_of_kind

CONDITIONS = {"typos=0.1": {"test": {"entity_f1": 0.25}}}


@pytest.fixture
def record(store, tmp_path):
    """Return the record of a run in the store whose weights are kept."""
    plain = good_record(128, conditions=CONDITIONS)
    cell = dataclasses.replace(plain.cell, methods=(AppliedMethod("int8", 1),))
    details = keep(store, cell, tmp_path)
    found = plain.model_copy(update={"cell": cell, "cell_id": cell.id, "details": details})
    store.write(found)
    store.write(good_record(256))  # a run without weights
    sync(store)
    return found


def test_a_model_is_logged_once_with_its_run_its_scores_and_its_data(store, record):
    assert log_models(store) == 1
    assert log_models(store) == 0
    client = MlflowClient(store.tracking_uri)
    experiment = client.get_experiment_by_name("ner")
    (model,) = client.search_logged_models([experiment.experiment_id])
    assert model.status is LoggedModelStatus.READY
    assert model.params["methods"] == "int8" and model.params["sequence_length"] == "128"
    metrics = {metric.key: metric for metric in model.metrics}
    assert metrics["test.entity_f1"].value == 0.5
    assert metrics["test.entity_f1"].dataset_digest == "f" * 36
    assert metrics["test.entity_f1 under typos 0.1"].value == 0.25
    run = next(
        run
        for run in runs_of_kind(store.tracking_uri, "cell")
        if run.info.run_id == model.source_run_id
    )
    assert run.data.tags["lengthwise.cell"] == record.cell_id
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    history = client.get_metric_history(run.info.run_id, "test.entity_f1")
    assert [point.value for point in history] == [0.5]
    names = {file.path for file in client.list_logged_model_artifacts(model.model_id)}
    assert {WEIGHTS_FILE, "about.json"} <= names


def test_a_model_that_a_killed_command_left_incomplete_is_logged_again(store, record, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "finalize_logged_model", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            log_models(store)
    assert log_models(store) == 1
    client = MlflowClient(store.tracking_uri)
    experiment = client.get_experiment_by_name("ner")
    assert len(client.search_logged_models([experiment.experiment_id])) == 1


def test_weights_that_changed_are_not_logged(store, record):
    folder = weights_folder(store, record.cell_id)
    assert json.loads((folder / "about.json").read_text())["sha256"]
    (folder / WEIGHTS_FILE).write_bytes(b"changed")
    with pytest.raises(HomeError, match="must have the checksum"):
        log_models(store)
