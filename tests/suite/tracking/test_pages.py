"""Addresses of runs and experiments in the MLflow UI."""

from __future__ import annotations

import pytest
from mlflow.tracking import MlflowClient

from suite.tracking.connection import read_pages
from suite.tracking.server import experiment_addresses
from suite.tracking.sync import sync
from tests.suite.tracking.helpers import good_record


def test_pages_lead_to_the_runs_of_all_syncs(store):
    earlier, later = good_record(128), good_record(256, minutes=1)
    for record in (earlier, later):
        store.write(record)
        sync(store)
    pages = read_pages(store)
    assert pages.at == "http://127.0.0.1:5000"
    client = MlflowClient(store.tracking_uri)
    for record in (earlier, later):
        address, _, run_id = pages.runs[record.run_id].rpartition("/runs/")
        run = client.get_run(run_id)
        assert run.data.tags["lengthwise.key"] == record.run_id
        assert address == f"#/experiments/{run.info.experiment_id}"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"null", b"{}", b"\xff", b"5"),
        b'{"at": "http://127.0.0.1:5000", "ru',
        b'{"at": "http://127.0.0.1:5000", "runs": 1}',
        b'{"at": "http://127.0.0.1:5000", "experiments": {"ner": ""}}',
        b'{"at": "http://127.0.0.1:5000", "experiments": {"ner": "#"}}',
    ],
)
def test_a_damaged_file_counts_as_none_and_the_next_sync_writes_it(store, content):
    record = good_record(128)
    store.write(record)
    sync(store)
    store.mlflow_pages.write_bytes(content)
    pages = read_pages(store)
    assert (pages.at, pages.runs, pages.experiments) == ("http://127.0.0.1:5000", {}, {})
    assert experiment_addresses(store, pages.at) == {}
    sync(store)
    assert record.run_id in read_pages(store).runs


def test_pages_of_another_store_are_not_used(store, monkeypatch):
    store.write(good_record(128))
    sync(store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret@127.0.0.1:9/")
    pages = read_pages(store)
    assert (pages.at, pages.runs) == ("http://127.0.0.1:9", {})
