"""The content of a cell's run."""

from __future__ import annotations

import dataclasses
import json

from mlflow.tracking import MlflowClient

from suite.tracking.sync import sync
from tests.suite.tracking.helpers import good_record, read_artifact, runs_of_kind


def test_cell_run_holds_the_record(store):
    record = good_record(128, details={"noisy": ("evaluation", "training")})
    store.write(record)
    report = sync(store)
    assert (report.written, report.length_runs) == (1, 1)
    uri = store.tracking_uri
    (cell,), (parent,) = runs_of_kind(uri, "cell"), runs_of_kind(uri, "invocation")
    assert cell.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert cell.data.tags["lengthwise.noisy"] == "evaluation, training"
    assert cell.data.params["sequence_length"] == "128"
    assert cell.data.params["option.window"] == "[64]"
    shown = {name: cell.data.params[name] for name in ("width", "layers", "heads", "optimizer")}
    assert shown == {"width": "128", "layers": "2", "heads": "4", "optimizer": "adamw"}
    assert cell.data.params["data_digest"] == "f" * 64
    name = cell.info.run_name
    assert f"{record.cell.steps:,} steps" in name and (record.cell.benchmark or "trial") in name
    assert "training.tokens_per_second" not in cell.data.metrics
    assert cell.data.metrics["disturbed.training.tokens_per_second"] == 1e6 / 128
    assert cell.data.metrics["test.entity_f1"] == 0.5
    assert cell.inputs.dataset_inputs[0].dataset.digest == "f" * 36
    assert json.loads(read_artifact(uri, cell, "record.json"))["cell_id"] == record.cell_id


def test_scores_at_evaluation_lengths_are_metrics_along_the_length(store):
    reasons = {"512": "out_of_memory: exceeded the memory limit of 2.0 GiB at length 512"}
    figures = {str(length): {"entity_f1": 64 / length, "examples": 7} for length in (128, 256)}
    record = good_record(128, reports={"test": {"by_evaluation_length": {**figures, **reasons}}})
    cell = dataclasses.replace(record.cell, evaluation_lengths=(128, 256, 512))
    store.write(record.model_copy(update={"cell": cell}))
    sync(store)
    client = MlflowClient(store.tracking_uri)
    (run,), (lengths,) = (runs_of_kind(store.tracking_uri, kind) for kind in ("cell", "lengths"))
    assert run.data.params["evaluation_lengths"] == "128,256,512"
    for one, name in (
        (run, "by_evaluation_length.test.entity_f1"),
        (lengths, "test.entity_f1.trained_at_128 by evaluation length"),
    ):
        history = client.get_metric_history(one.info.run_id, name)
        assert {point.step: point.value for point in history} == {128: 0.5, 256: 0.25}
    assert run.data.metrics["by_evaluation_length.test.examples"] == 7
    assert "trained_at_128" in read_artifact(store.tracking_uri, lengths, "by_length.html")


def test_curves_are_thinned_and_keep_their_last_point(store):
    store.write(good_record(128))
    sync(store)
    (cell,) = runs_of_kind(store.tracking_uri, "cell")
    client = MlflowClient(store.tracking_uri)
    curve = client.get_metric_history(cell.info.run_id, "curve.training_loss by training tokens")
    assert len(curve) <= 52 and curve[-1].step == 199


def test_curves_count_updates_and_a_picture_and_the_predictions_are_files(store):
    examples = [{"input": "a, b", "expected": "O", "answer": "=1+1", "right": 0}]
    details = {"training_steps": 50, "training_tokens": 199}
    report = {"test": {"examples": examples}, "validation": {"examples": examples}}
    store.write(good_record(128, details=details, reports=report))
    sync(store)
    (run,) = runs_of_kind(store.tracking_uri, "cell")
    client = MlflowClient(store.tracking_uri)
    curve = client.get_metric_history(run.info.run_id, "curve.training_loss by updates")
    assert curve[-1].step == 50
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"record.json", "learning_curves.png", "predictions.csv"}
    lines = read_artifact(store.tracking_uri, run, "predictions.csv").splitlines()
    assert lines == ["input,expected,answer,right", '"a, b",O,\'=1+1,0']
