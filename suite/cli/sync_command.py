"""`bench sync`: writes records to MLflow."""

from __future__ import annotations

import sys

import click

from suite.actions.caller import report_unreadable, warn
from suite.actions.request import make_existing_store
from suite.cli.command import Command
from suite.cli.options import home_option
from suite.records.store import Store
from suite.tracking.connection import tracking_uri, without_password
from suite.tracking.sync import sync

PROGRESS_INTERVAL = 25


@click.command("sync", cls=Command)
@click.option(
    "--log-models",
    is_flag=True,
    help="Also copy the weights that `bench run --keep-weights` kept to MLflow, as logged models.",
)
@home_option
def command(home: str | None, log_models: bool) -> None:
    """Write the records that MLflow lacks.

    Running the command again changes nothing. Incomplete runs of a killed command are written
    again. The store is MLFLOW_TRACKING_URI if this variable is set, else the home's own mlflow.db.

    \b
    Exit codes: 0 success; 1 MLflow rejects a record, which was skipped.
    """
    store = make_existing_store(home)
    store.prepare()
    is_complete = sync_and_print(store)
    if log_models:
        from suite.tracking import models

        count = models.log_models(store, _print_progress, report_unreadable)
        print(f"{count} models logged")
    if not is_complete:
        sys.exit(1)


def sync_and_print(store: Store, *, rebuild: bool = False) -> bool:
    """Sync a home and print the result; return whether MLflow has all records."""
    report = sync(store, _print_progress, report_unreadable, rebuild=rebuild, on_wait=warn)
    duplicates = f", {report.duplicates} duplicates deleted" if report.duplicates else ""
    skipped = f", {len(report.rejected)} skipped" if report.rejected else ""
    print(
        f"{without_password(tracking_uri(store))}: {report.written} runs written, "
        f"{report.unchanged} records unchanged, {report.length_runs} length runs written"
        f"{duplicates}{skipped}"
    )
    for name, reason in report.rejected.items():
        warn(f"MLflow rejects {name}, which was skipped: {reason}")
    return not report.rejected


def _print_progress(done: int, total: int) -> None:
    last = done == total
    if sys.stderr.isatty() and (last or done % PROGRESS_INTERVAL == 0):
        print(f"\r{done} of {total} records", end="\n" if last else "", file=sys.stderr)
