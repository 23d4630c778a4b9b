"""`bench ui`: the MLflow UI on the records' store."""

from __future__ import annotations

import os
import sys

import click

from suite.api.errors import RequestError
from suite.cli.options import home_option, make_store
from suite.records.store import without_password
from suite.tracking.delivery import QUIET, read_pages, tracking_uri


@click.command("ui")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@home_option
def command(port: int, home: str | None) -> None:
    """Serve the MLflow UI on 127.0.0.1 until Ctrl-C."""
    store = make_store(home)
    uri = tracking_uri(store)
    if uri.startswith("http"):
        raise RequestError(
            "The MLflow store is a server with its own UI", received=without_password(uri)
        )
    if uri == store.tracking_uri and not (store.home / "mlflow.db").exists():
        raise RequestError(
            "There is no MLflow store yet", received=store.home, remedy="Run `bench run` first"
        )
    arguments = ["server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--default-artifact-root", store.artifacts.as_uri()]
    os.environ.update(QUIET)
    at = f"http://127.0.0.1:{port}"
    print(f"MLflow UI: {at}  (Ctrl-C ends it)")
    for name, page in sorted(read_pages(store).experiments.items()):
        print(f"  {name:22} {at}/{page}")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *arguments])  # noqa: S606
