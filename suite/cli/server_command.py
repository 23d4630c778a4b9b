"""`bench server`: one MLflow for a team."""

from __future__ import annotations

import configparser
import importlib.util
import io
import os
import secrets
import sys
from pathlib import Path

import click

from suite.api.errors import RequestError
from suite.api.files import atomic_write_bytes
from suite.cli.options import home_option, make_store
from suite.records.store import Store, without_password
from suite.tracking.delivery import QUIET

DATABASE_VARIABLE = "LENGTHWISE_DATABASE_URI"
PASSWORD_VARIABLE = "MLFLOW_AUTH_ADMIN_PASSWORD"
CACHED_SECONDS = 60
"""For how long a password that was right is taken for right: checking one takes 50 ms."""


@click.command("server")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=4, show_default=True)
@click.option("--artifacts", metavar="DIR", help="Where files are kept. [default: in the home]")
@home_option
def command(host: str, port: int, workers: int, artifacts: str | None, home: str | None) -> None:
    """Serve MLflow to a team, behind names and passwords, until Ctrl-C.

    The database is LENGTHWISE_DATABASE_URI (postgresql://user@host/name; libpq's PGPASSWORD or
    ~/.pgpass holds its password), a SQLite file in the home where that is not set. At the first
    start MLFLOW_AUTH_ADMIN_PASSWORD becomes the password of the user `admin`, who then creates the
    others at /signup.

    \b
    Those who send runs set:
      MLFLOW_TRACKING_URI=http://HOST:PORT
      MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD (or ~/.mlflow/credentials)
    """
    store = make_store(home)
    store.prepare()
    folder = store.home / "server"
    folder.mkdir(mode=0o700, exist_ok=True)
    database = os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{folder / 'mlflow.db'}"
    _check(database, folder)
    arguments = ["server", "--app-name", "basic-auth", "--host", host, "--port", str(port)]
    arguments += ["--workers", str(workers), "--serve-artifacts"]
    kept = Path(artifacts).expanduser().resolve() if artifacts else folder / "artifacts"
    arguments += ["--artifacts-destination", kept.as_uri()]
    os.environ.update(
        {
            **QUIET,
            "MLFLOW_BACKEND_STORE_URI": database,  # not an argument: all could read it there
            "MLFLOW_AUTH_CONFIG_PATH": str(_configuration(store, database)),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": _secret(folder),
        }
    )
    print(
        f"MLflow: http://{host}:{port}  ({without_password(database)}; Ctrl-C ends it)", flush=True
    )
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *arguments])  # noqa: S606


def _check(database: str, folder: Path) -> None:
    """Refuse what could only fail later.

    Raises:
        RequestError: the extra is not installed, or there is no password to begin with.
    """
    needed = ["flask_wtf", *(["psycopg"] if database.startswith("postgresql") else [])]
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise RequestError(
            "A server needs its extra",
            received=f"no {', '.join(missing)}",
            remedy='In the checkout: pip install -c constraints.txt -e ".[server]"',
        )
    if not os.environ.get(PASSWORD_VARIABLE) and not (folder / "auth.ini").exists():
        raise RequestError(
            "The first start needs a password for the user `admin`",
            received=f"{PASSWORD_VARIABLE} is not set",
            remedy=f"Set it: export {PASSWORD_VARIABLE}=…",
        )


def _configuration(store: Store, database: str) -> Path:
    """Write what MLflow's authentication reads, for the owner's eyes only, and return its path."""
    settings = configparser.ConfigParser(interpolation=None)
    settings["mlflow"] = {
        "default_permission": "MANAGE",  # a run that changes is deleted and written anew
        "database_uri": database,
        "admin_username": "admin",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "grant_default_workspace_access": "true",
        "auth_cache_ttl_seconds": str(CACHED_SECONDS),
    }
    text = io.StringIO()
    settings.write(text)
    path = store.home / "server" / "auth.ini"
    atomic_write_bytes(path, text.getvalue().encode())  # temporary files are the owner's alone
    return path


def _secret(folder: Path) -> str:
    """Return the key that signs the server's forms, made at its first start."""
    path = folder / "secret"
    if not path.exists():
        atomic_write_bytes(path, secrets.token_hex(32).encode())
    return path.read_text()
