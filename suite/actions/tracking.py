"""Write records to MLflow, and serve MLflow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from suite.actions.caller import warn
from suite.actions.request import PathLike, make_existing_store, make_store
from suite.tracking.connection import MlflowProcess, without_password
from suite.tracking.server import (
    database_uri,
    experiment_addresses,
    prepare_server,
    prepare_ui,
)
from suite.tracking.sync import Deletion, SyncReport, planned_deletion
from suite.tracking.sync import sync as write_records

PROGRESS_INTERVAL = 25


def sync(
    *,
    home: PathLike | None = None,
    log_models: bool = False,
    confirm: Callable[[Deletion], bool] | None = None,
) -> SyncReport | None:
    """Write the records that MLflow lacks, and warn of each that it rejects.

    `log_models` copies the kept weights to MLflow too. With `confirm`, all runs of this home are
    deleted from MLflow first. The result is None if `confirm` refuses; then nothing is deleted.

    Raises:
        LengthwiseError: the home does not exist, or the MLflow store cannot be used.
    """
    store = make_existing_store(home)
    store.prepare()
    if confirm and not confirm(planned_deletion(store)):
        return None
    rebuild = confirm is not None
    report = write_records(store, _show_progress, rebuild=rebuild)
    for name, reason in report.rejected.items():
        warn(f"MLflow rejects {name}, which was skipped: {reason}")
    if log_models:
        from suite.tracking import models

        count = models.log_models(store, _show_progress)
        report = replace(report, num_models=count)
    return report


def prepare_mlflow_ui(
    *, port: int = 5000, home: PathLike | None = None
) -> tuple[MlflowProcess, Mapping[str, Mapping[str, str]]]:
    """Return the process of the MLflow UI, and the addresses of each experiment by their title.

    Raises:
        RequestError: the store is a server or does not exist yet, or the port is in use.
    """
    store = make_store(home)
    process = prepare_ui(store, port)
    return process, experiment_addresses(store, process.address)


def prepare_mlflow_server(
    *,
    host: str,
    port: int,
    workers: int,
    artifacts: PathLike | None = None,
    home: PathLike | None = None,
) -> tuple[MlflowProcess, str]:
    """Return the process of an MLflow server for a team, and its database without a password.

    Raises:
        RequestError: the extra `server` is not installed, or the first start has no password.
    """
    store = make_store(home)
    store.prepare()
    folder = Path(artifacts).expanduser().resolve() if artifacts else None
    process = prepare_server(store, host, port, workers, folder)
    return process, without_password(database_uri(store))


def _show_progress(done: int, total: int) -> None:
    last = done == total
    if sys.stderr.isatty() and (last or done % PROGRESS_INTERVAL == 0):
        print(f"\r{done} of {total} records", end="\n" if last else "", file=sys.stderr)
