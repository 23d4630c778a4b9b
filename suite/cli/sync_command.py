"""`bench sync`: records → MLflow."""

from __future__ import annotations

import sys

import click

from suite.cli.options import home_option, make_store
from suite.cli.planning import tell_set_aside
from suite.records.store import without_password
from suite.tracking.delivery import sync, tracking_uri


@click.command("sync")
@home_option
def command(home: str | None) -> None:
    """Write every record that MLflow lacks; running it again changes nothing.

    Runs that a killed command left half-written are written again. The store is MLFLOW_TRACKING_URI
    where that is set, the home's own mlflow.db otherwise.
    """
    deliver(home, rebuild=False)


def deliver(home: str | None, rebuild: bool) -> None:
    """Sync and say what was done."""
    store = make_store(home)
    store.prepare()

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % 25 == 0 or done == total):
            print(
                f"\r{done} of {total} records", end="\n" if done == total else "", file=sys.stderr
            )

    report = sync(store, tell, tell_set_aside, rebuild=rebuild)
    duplicates = f", {report.duplicates} duplicates dropped" if report.duplicates else ""
    print(
        f"{without_password(tracking_uri(store))}: {report.written} runs written, {report.stood} "
        f"records needed none, {report.length_runs} runs along the lengths made{duplicates}"
    )
