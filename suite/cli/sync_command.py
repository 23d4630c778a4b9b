"""`bench sync`: writes records to MLflow."""

from __future__ import annotations

import sys
from typing import Any

import click

from suite.actions.tracking import sync
from suite.cli.command import Command
from suite.cli.options import home_option


@click.command("sync", cls=Command)
@click.option(
    "--log-models",
    is_flag=True,
    help="Also copy the weights that `bench run --keep-weights` kept to MLflow, as logged models.",
)
@home_option
def command(**given: Any) -> None:
    """Write the records that MLflow lacks.

    Running the command again changes nothing. Incomplete runs of a killed command are written
    again. The store is MLFLOW_TRACKING_URI if this variable is set, else the home's own mlflow.db.

    \b
    Exit codes: 0 success; 1 MLflow rejects a record, which was skipped.
    """
    synced = sync(**given)
    print(synced)
    if synced.report.rejected:
        sys.exit(1)
