"""Runs in the MLflow store: statuses, idempotence, incomplete runs, several homes."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter

from mlflow.tracking import MlflowClient

from suite.api import Status
from suite.records.store import Store
from suite.tracking.connection import connect
from suite.tracking.sync import sync
from tests.builders.records import CELL, make_record, new_store
from tests.suite.tracking.helpers import (
    count_kinds,
    good_record,
    runs_at,
    runs_of_kind,
)


def test_run_status_follows_record_status(store):
    expected = {
        Status.OK: "FINISHED",
        Status.FAILED: "FAILED",
        Status.OUT_OF_MEMORY: "FAILED",
        Status.TIMED_OUT: "FAILED",
        Status.DIVERGED: "FAILED",
        Status.INTERRUPTED: "KILLED",
    }
    for seed, status in enumerate(Status):
        store.write(make_record(status, seed, dataclasses.replace(CELL, seed=seed)))
    sync(store)
    cells = runs_of_kind(store.tracking_uri, "cell")
    found = {run.data.tags["lengthwise.status"]: run.info.status for run in cells}
    assert found == {str(status): name for status, name in expected.items()}
    (parent,) = runs_of_kind(store.tracking_uri, "invocation")
    assert parent.info.status == "FAILED"


def test_second_sync_changes_nothing(store):
    for length in (128, 256):
        store.write(good_record(length))
    sync(store)
    before = {run.info.run_id for run in runs_at(store.tracking_uri)}
    again = sync(store)
    assert (again.written, again.length_runs) == (0, 0)
    assert {run.info.run_id for run in runs_at(store.tracking_uri)} == before


def test_incomplete_run_is_written_again(store):
    store.write(good_record(128))
    sync(store)
    client = MlflowClient(store.tracking_uri)
    (cell,) = runs_of_kind(store.tracking_uri, "cell")
    client.update_run(cell.info.run_id, status="RUNNING")
    assert sync(store).written == 1
    assert count_kinds(store.tracking_uri)["cell"] == 1
    assert {run.info.status for run in runs_at(store.tracking_uri)} == {"FINISHED"}


def mark_incomplete(store: Store, run, writer: str, seconds_ago: float) -> None:
    client = MlflowClient(store.tracking_uri)
    client.set_tag(run.info.run_id, "lengthwise.writer", writer)
    client.set_tag(run.info.run_id, "lengthwise.begun", str(time.time() - seconds_ago))
    client.update_run(run.info.run_id, status="RUNNING")


def test_incomplete_run_of_another_home_is_replaced_only_after_its_lease(store):
    store.write(good_record(128))
    sync(store)
    (cell,) = runs_of_kind(store.tracking_uri, "cell")
    mark_incomplete(store, cell, "another", seconds_ago=10)
    assert sync(store).written == 0
    mark_incomplete(store, cell, "another", seconds_ago=1_000)
    assert sync(store).written == 1
    assert {run.info.status for run in runs_at(store.tracking_uri)} == {"FINISHED"}
    assert count_kinds(store.tracking_uri) == {"cell": 1, "invocation": 1, "lengths": 1}


def test_two_homes_with_the_same_records_leave_no_duplicates(store, tmp_path, shared_uri):
    """Both homes read the empty store before either writes."""
    record = good_record(128)
    trackers = []
    for home in (store, new_store(tmp_path / "other")):
        home.write(record)
        trackers.append(connect(home))
        trackers[-1]._experiment(record)  # reads the runs in the store
    for tracker in trackers:
        assert list(tracker.log_all([record])) == [True]
        tracker.complete(store)
    assert [tracker.drop_duplicates() for tracker in trackers] == [2, 0]
    left = runs_at(shared_uri)
    kinds = Counter(run.data.tags["lengthwise.kind"] for run in left)
    assert kinds == {"cell": 1, "invocation": 1, "lengths": 2}  # one length run per home
    by_kind = {run.data.tags["lengthwise.kind"]: run for run in left}
    parent = by_kind["cell"].data.tags["mlflow.parentRunId"]
    assert parent == by_kind["invocation"].info.run_id


def test_clear_deletes_only_runs_of_its_own_home(store, tmp_path, shared_uri):
    other = new_store(tmp_path / "other")
    store.write(good_record(128))
    other.write(good_record(256, seed=1, minutes=1))
    sync(store)
    sync(other)
    client = MlflowClient(shared_uri)
    experiment = client.get_experiment_by_name("ner").experiment_id
    by_hand = client.create_run(experiment, run_name="by hand").info.run_id
    unsigned = client.create_run(experiment, tags={"lengthwise.key": "old"}).info.run_id
    runs = runs_at(shared_uri)
    before = {run.info.run_id: run.data.tags.get("lengthwise.writer") for run in runs}
    tracker = connect(store)
    announced = set(tracker.own_runs())
    assert tracker.clear() == len(announced) == 2  # the cell and the length run
    after = {run.info.run_id for run in runs_at(shared_uri)}
    assert before.keys() - after == announced
    assert {before[run_id] for run_id in announced} == {store.identity}
    assert {by_hand, unsigned} <= after


def test_clear_keeps_the_parent_of_another_homes_run(store, tmp_path, shared_uri):
    """Both homes have cells of one invocation, for example after `bench import`."""
    other = new_store(tmp_path / "other")
    store.write(good_record(128))
    other.write(good_record(256, minutes=1))
    sync(store)
    sync(other)
    (parent,) = runs_of_kind(shared_uri, "invocation")
    assert parent.data.tags["lengthwise.writer"] == store.identity
    connect(store).clear()
    (left,) = runs_of_kind(shared_uri, "cell")
    assert left.data.tags["mlflow.parentRunId"] == parent.info.run_id
    sync(store)
    assert count_kinds(shared_uri) == {"cell": 2, "invocation": 1, "lengths": 2}


def test_runs_without_a_writer_belong_to_the_home_in_its_own_database(store):
    store.write(good_record(128))
    sync(store)
    client = MlflowClient(store.tracking_uri)
    for run in runs_at(store.tracking_uri):
        client.delete_tag(run.info.run_id, "lengthwise.writer")
    assert connect(store).clear() == 3
