"""An MLflow server for a team, with user accounts."""

from __future__ import annotations

import configparser
import importlib.util
import io
import os
import secrets
from pathlib import Path

from suite.api.errors import RequestError
from suite.api.files import PRIVATE, atomic_write_bytes
from suite.records.store import Store, sqlite_uri
from suite.tracking.connection import MlflowProcess

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
    """Find the causes of later failures.

    Raises:
        RequestError: the extra `server` is not installed, or the first start has no password.
    """
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
    _write_private(path, text.getvalue())
    return path


def _secret_key(folder: Path) -> str:
    """Return the key that signs the server's forms. The first start creates it."""
    path = folder / "secret"
    if not path.exists():
        _write_private(path, secrets.token_hex(32))
    return path.read_text()


def _write_private(path: Path, text: str) -> None:
    atomic_write_bytes(path, text.encode(), PRIVATE)
