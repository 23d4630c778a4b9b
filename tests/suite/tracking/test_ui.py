"""`bench ui`: refusals, and the arguments of the MLflow UI."""

from __future__ import annotations

import socket
from urllib.parse import parse_qs

import pytest

from suite.api.errors import RequestError
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
