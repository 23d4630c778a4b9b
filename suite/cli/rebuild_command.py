"""`bench rebuild`: MLflow anew from the records."""

from __future__ import annotations

import click

from suite.cli.options import home_option
from suite.cli.sync_command import deliver


@click.command("rebuild")
@click.option("--tracking", is_flag=True, required=True, help="The MLflow store.")
@home_option
def command(home: str | None, tracking: bool) -> None:
    """Delete what Lengthwise wrote to MLflow and write it anew from the records.

    Of a server (MLFLOW_TRACKING_URI) only runs that Lengthwise wrote are deleted, those of other
    homes too; the home's own mlflow.db is removed whole.
    """
    deliver(home, rebuild=True)
