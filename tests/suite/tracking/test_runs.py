"""The content of a cell's run and of its experiment's view."""

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
        (lengths, "test.entity_f1.trained_at_128"),
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
    curve = client.get_metric_history(cell.info.run_id, "curve.training_loss")
    assert len(curve) <= 52 and curve[-1].step == 199


def test_the_views_of_an_experiment_show_charts_against_length_and_the_costs_of_cells(store):
    store.write(good_record(128))
    sync(store)
    experiment = MlflowClient(store.tracking_uri).get_experiment_by_name("ner")
    charts = json.loads(experiment.tags["mlflow.sharedViewState.lengthwise-lengths"])
    assert charts["searchFilter"] == "tags.`lengthwise.kind` = 'lengths'"
    drawn = {chart["metricKey"] for chart in charts["compareRunCharts"]}
    assert {"test.entity_f1", "training.peak_memory_bytes"} <= drawn
    (run,) = runs_of_kind(store.tracking_uri, "lengths")
    assert {"test.entity_f1", "training.tokens_per_second"} <= drawn & run.data.metrics.keys()
    assert charts["runsHiddenMode"] == "SHOW_ALL", "the UI hides all but ten runs otherwise"
    view = json.loads(experiment.tags["mlflow.sharedViewState.lengthwise"])
    assert view["searchFilter"] == "tags.`lengthwise.kind` = 'cell'"
    assert view["selectedColumns"][0] == "params.`architecture`"
    assert "metrics.`training.peak_memory_bytes`" in view["selectedColumns"]


def test_the_views_of_an_experiment_show_the_scores_of_trials_and_of_final_runs(store):
    """Trials are scored on validation alone; a view of theirs must not hide test scores."""
    store.write(good_record(128, metrics={"validation": {"entity_f1": 0.5}}))
    sync(store)
    client = MlflowClient(store.tracking_uri)
    columns = _columns(client)
    assert {"metrics.`test.entity_f1`", "metrics.`validation.entity_f1`"} <= columns
    tag = "mlflow.sharedViewState.lengthwise"
    client.set_experiment_tag(client.get_experiment_by_name("ner").experiment_id, tag, "{}")
    store.write(good_record(512))
    sync(store)
    assert _columns(client) == columns, "a view of an earlier version is replaced"
    other = good_record(512, seed=1, metrics={"validation": {"nats_per_token": 2.0}})
    ranking = other.ranking.model_copy(update={"metric": "nats_per_token"})
    store.write(other.model_copy(update={"ranking": ranking}))
    sync(store)
    added = {"metrics.`test.nats_per_token`", "metrics.`validation.nats_per_token`"}
    assert _columns(client) == columns | added, "records with other scores take none away"


def _columns(client):
    experiment = client.get_experiment_by_name("ner")
    return set(json.loads(experiment.tags["mlflow.sharedViewState.lengthwise"])["selectedColumns"])
