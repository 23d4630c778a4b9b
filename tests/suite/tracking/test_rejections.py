"""Records that MLflow rejects never block the others, and leave no run behind."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from suite.api.errors import TrackingError
from suite.records.schema import Record
from suite.tracking.delivery import DeliveryQueue
from suite.tracking.sync import sync
from tests.builders.records import CELL
from tests.suite.tracking.helpers import good_record, runs_at


def with_options(**options: object) -> Record:
    record = good_record(128, seed=1, minutes=1)
    cell = dataclasses.replace(record.cell, options=options)
    return record.model_copy(update={"cell": cell, "cell_id": cell.id})


BAD = {
    "metric": good_record(128, 1, minutes=1, metrics={"test": {"recall@5": 0.5}}),
    "long metric": good_record(128, 1, minutes=1, metrics={"test": {"f" * 400: 0.5}}),
    "parameter": with_options(**{"top@5": 1}),
    "long parameter": with_options(**{"o" * 400: 1}),
    "date": good_record(128, 1, minutes=1, ended_at=datetime(1950, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_rejected_record_is_skipped_and_named(store, name):
    bad, good = BAD[name], [good_record(128), good_record(256, minutes=2)]
    for record in (bad, *good):
        store.write(record)
    for num_written in (2, 0):
        report = sync(store)
        assert (report.written, bad.run_id in report.rejected) == (num_written, True)
        runs = runs_at(store.tracking_uri)
        keys = {run.data.tags["lengthwise.key"] for run in runs}
        assert {record.run_id for record in good} < keys and bad.run_id not in keys
        assert "RUNNING" not in {run.info.status for run in runs}
    assert report.unchanged == 2


def test_sync_exits_with_1_after_a_rejected_record(store, bench):
    for record in (BAD["metric"], good_record(128)):
        store.write(record)
    for command in (("sync",), ("sync", "--rebuild", "--yes")):
        said = bench(*command)
        assert said.returncode == 1, said.stderr
        assert "1 runs written" in said.stdout and "skipped" in said.stdout
        assert f"MLflow rejects {BAD['metric'].run_id}, which was skipped" in said.stderr
        assert "recall@5" in said.stderr and "Traceback" not in said.stderr


def test_a_record_that_a_run_leaves_and_mlflow_rejects_blocks_no_other(store):
    delivered = DeliveryQueue(store)
    bad, good = BAD["metric"], good_record(128)
    assert f"{bad.run_id} was skipped" in (delivered.take(store.write(bad)) or "")
    assert delivered.take(store.write(good)) is None
    assert bad.run_id in (delivered.finish() or "")
    runs = runs_at(store.tracking_uri)
    assert good.run_id in {run.data.tags["lengthwise.key"] for run in runs}
    assert "RUNNING" not in {run.info.status for run in runs}


@pytest.mark.parametrize("code", ["TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR"])
def test_a_store_that_fails_for_every_record_rejects_none(store, monkeypatch, code):
    store.write(good_record(128))
    sync(store)
    store.write(good_record(256))
    error = MlflowException("no answer")
    error.error_code = code

    def fail(*_: object, **__: object) -> None:
        monkeypatch.setattr(MlflowClient, "search_experiments", fail)
        raise error

    monkeypatch.setattr(MlflowClient, "create_run", fail)
    with pytest.raises(TrackingError, match="no answer"):
        sync(store)


def test_more_parameters_than_mlflow_takes_at_once_are_delivered(store):
    cell = dataclasses.replace(CELL, options={f"option_{number}": number for number in range(250)})
    record = good_record(128)
    store.write(record.model_copy(update={"cell": cell, "cell_id": cell.id}))
    assert not sync(store).rejected
    (run,) = [run for run in runs_at(store.tracking_uri) if "option.option_249" in run.data.params]
    assert len(run.data.params) > 250
