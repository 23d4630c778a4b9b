"""Servers of MLflow: the UI on a home's store, and one for a team, with user accounts."""

from __future__ import annotations

import configparser
import importlib.util
import io
import os
import secrets
import socket
from pathlib import Path
from urllib.parse import quote, urlencode

from suite.api.errors import RequestError
from suite.api.files import PRIVATE, atomic_write_bytes
from suite.records.store import Store, sqlite_uri
from suite.tracking.connection import (
    MlflowProcess,
    is_own,
    own_database,
    read_pages,
    tracking_uri,
    without_password,
)

DATABASE_VARIABLE = "LENGTHWISE_DATABASE_URI"
PASSWORD_VARIABLE = "MLFLOW_AUTH_ADMIN_PASSWORD"
PASSWORD_CACHE_SECONDS = 60
"""For this time the server does not check a correct password again; a check takes 50 ms."""


def database_uri(store: Store) -> str:
    """Return the value of LENGTHWISE_DATABASE_URI, or a SQLite database in the home."""
    return os.environ.get(DATABASE_VARIABLE) or sqlite_uri(_folder(store) / "mlflow.db")


def prepare_server(
    store: Store, host: str, port: int, workers: int, artifacts: Path | None = None
) -> MlflowProcess:
    """Write the server's configuration into the home and return the process.

    The server has `workers` processes. It keeps files in `artifacts`, by default in the home.

    Raises:
        RequestError: the extra `server` is not installed, or the first start has no password.
    """
    folder = _folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    database = database_uri(store)
    _check(database, folder)
    arguments = ["--app-name", "basic-auth", "--host", host, "--port", str(port)]
    arguments += ["--workers", str(workers), "--serve-artifacts"]
    arguments += ["--artifacts-destination", (artifacts or folder / "artifacts").as_uri()]
    environment = {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": str(_write_configuration(folder, database)),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": _secret_key(folder),
    }
    return MlflowProcess(f"http://{host}:{port}", arguments, environment)


def _folder(store: Store) -> Path:
    return store.home / "server"


def _check(database: str, folder: Path) -> None:
    """Find the causes of later failures."""
    needed = ["flask_wtf", *(["psycopg"] if database.startswith("postgresql") else [])]
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise RequestError(
            "`bench server` needs the extra `server`",
            received=f"no package {', '.join(missing)}",
            remedy="In the checkout: make setup EXTRAS=server",
        )
    if not os.environ.get(PASSWORD_VARIABLE) and not (folder / "auth.ini").exists():
        raise RequestError(
            "The first start needs a password for the user `admin`",
            received=f"{PASSWORD_VARIABLE} is not set",
            remedy=f"Set it: export {PASSWORD_VARIABLE}=…",
        )


def _write_configuration(folder: Path, database: str) -> Path:
    settings = configparser.ConfigParser(interpolation=None)
    settings["mlflow"] = {
        "default_permission": "MANAGE",  # writers delete and rewrite changed and duplicate runs
        "database_uri": database.replace("%", "%%"),  # MLflow reads the file with interpolation
        "admin_username": "admin",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "grant_default_workspace_access": "true",
        "auth_cache_ttl_seconds": str(PASSWORD_CACHE_SECONDS),
    }
    text = io.StringIO()
    settings.write(text)
    path = folder / "auth.ini"
    atomic_write_bytes(path, text.getvalue().encode(), PRIVATE)
    return path


def _secret_key(folder: Path) -> str:
    path = folder / "secret"
    if not path.exists():
        atomic_write_bytes(path, secrets.token_hex(32).encode(), PRIVATE)
    return path.read_text()


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
    """Return the query of an address that lists the runs of a kind, by their names.

    Sorted by time, the UI would fold the cells into their invocation.
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
