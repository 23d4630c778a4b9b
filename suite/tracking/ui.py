"""The MLflow UI on a home's store."""

from __future__ import annotations

import socket
from urllib.parse import quote, urlencode

from suite.api.errors import RequestError
from suite.records.store import Store
from suite.tracking.connection import (
    MlflowProcess,
    is_own,
    own_database,
    tracking_uri,
    without_password,
)
from suite.tracking.pages import read_pages

HOST = "127.0.0.1"
LISTS = {
    "compare": {"kind": "cell", "compareRunsMode": "CHART"},
    "by length": {"kind": "lengths", "compareRunsMode": "CHART"},
    "cells": {"kind": "cell"},
}
"""The runs that an address of `bench ui` lists, by its title, and how the UI shows them."""


def prepare_ui(store: Store, port: int) -> MlflowProcess:
    """Return the process that serves the UI on 127.0.0.1.

    Raises:
        RequestError: the store is a server or does not exist yet, or the port is in use.
    """
    uri = tracking_uri(store)
    if uri.startswith("http"):
        raise RequestError(
            "The MLflow store is a server, which has its own UI",
            received=without_password(uri),
            remedy="Open that address in a browser",
        )
    if is_own(store) and not own_database(store).exists():
        raise RequestError(
            "This home has no MLflow store yet", received=store.home, remedy="Run `bench run` first"
        )
    _check_port(port)
    # One reader needs one process and none of MLflow's own jobs. MLflow starts four processes and a
    # queue of jobs otherwise, which takes several times as long.
    arguments = ["--host", HOST, "--port", str(port), "--workers", "1"]
    arguments += ["--default-artifact-root", store.artifacts.as_uri()]
    # MLflow takes the address of the store from the environment too. It can contain a password.
    environment = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return MlflowProcess(f"http://{HOST}:{port}", arguments, environment)


def experiment_addresses(store: Store, address: str) -> dict[str, dict[str, str]]:
    """Return the addresses of each experiment's runs in a UI, by the experiment's name.

    `compare` has charts of all cells side by side, `by length` charts against sequence length, and
    `cells` is the table of all cells.
    """
    return {
        name: {
            title: f"{address}/{page.partition('?')[0]}?{_search(**LISTS[title])}"
            for title in LISTS
        }
        for name, page in sorted(read_pages(store).experiments.items())
    }


def _search(kind: str, **shown: str) -> str:
    """Return the query of an address that lists the runs of a kind.

    Names sort by architecture, length and seed. Sorted by time, the UI would fold the cells into
    their invocation.
    """
    search = {
        "searchFilter": f"tags.`lengthwise.kind` = '{kind}'",
        "orderByKey": "tags.`mlflow.runName`",
        "orderByAsc": "true",
        "workflowType": "machine_learning",
    }
    return urlencode({**search, **shown}, quote_via=quote)


def _check_port(port: int) -> None:
    """Check that a server can listen on a port. MLflow exits with 0 if another program does."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise RequestError(
                f"Port {port} of this machine cannot be used",
                received=error.strerror,
                remedy="Choose another port, e.g. `bench ui --port 5001`",
            ) from None
