"""`bench ui`: refusals, the arguments of the MLflow UI, and addresses of runs in it."""

from __future__ import annotations

import socket
from urllib.parse import parse_qs

import pytest
from mlflow.tracking import MlflowClient

from suite.api.errors import RequestError
from suite.tracking.connection import read_pages
from suite.tracking.server import experiment_addresses, prepare_ui
from suite.tracking.sync import sync
from tests.suite.tracking.helpers import good_record


def test_ui_needs_a_store(store):
    with pytest.raises(RequestError, match="Run `bench run` first"):
        prepare_ui(store, 5000)


def test_ui_of_a_server_is_the_servers_own(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:secret@example.org")
    with pytest.raises(RequestError, match="is a server") as refused:
        prepare_ui(store, 5000)
    assert "https://example.org" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_ui_serves_this_machine_only(store):
    store.write(good_record(128))
    sync(store)
    ui = prepare_ui(store, 5055)
    assert ui.address == "http://127.0.0.1:5055"
    arguments = " ".join(ui.arguments)
    assert "--host 127.0.0.1 --port 5055" in arguments
    assert "--workers 1" in arguments
    assert ui.environment["MLFLOW_BACKEND_STORE_URI"] == store.tracking_uri
    addresses = experiment_addresses(store, ui.address)
    assert ui.environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    page, _, search = addresses["ner"]["by length"].partition("?")
    assert page == "http://127.0.0.1:5055/#/experiments/1/runs"
    assert "tags.`lengthwise.kind` = 'lengths'" in parse_qs(search)["searchFilter"]
    assert search.endswith("&compareRunsMode=CHART")
    title, address = next(iter(addresses["ner"].items()))
    assert title == "compare" and address.endswith("&compareRunsMode=CHART")
    _, _, search = addresses["ner"]["cells"].partition("?")
    assert "tags.`lengthwise.kind` = 'cell'" in parse_qs(search)["searchFilter"]


def test_ui_refuses_a_port_in_use(store):
    store.write(good_record(128))
    sync(store)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(RequestError, match=f"Port {port} .* Choose another port"):
            prepare_ui(store, port)


def test_password_of_a_database_is_no_argument(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ann:secret@db/mlflow")
    ui = prepare_ui(store, 5000)
    assert "secret" not in " ".join(ui.arguments)
    assert "secret" in ui.environment["MLFLOW_BACKEND_STORE_URI"]


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
