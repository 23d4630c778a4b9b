"""`bench sync`: writes records to MLflow."""

from __future__ import annotations

import sys

import click

from suite.actions.tracking import sync
from suite.api.errors import RequestError
from suite.cli.command import Command, home_option
from suite.tracking.sync import Deletion


@click.command("sync", cls=Command)
@click.option(
    "--log-models",
    is_flag=True,
    help="Also copy the weights that `bench run --keep-weights` kept to MLflow, as logged models.",
)
@click.option(
    "--rebuild",
    "again",
    is_flag=True,
    help="Delete this home's runs from MLflow first, and write all of them again.",
)
@click.option("--yes", is_flag=True, help="With --rebuild: do not ask for confirmation.")
@home_option
def command(home: str | None, log_models: bool, again: bool, yes: bool) -> None:
    """Write the records that MLflow lacks.

    Running the command again changes nothing. Incomplete runs of a killed command are written
    again. The store is MLFLOW_TRACKING_URI if this variable is set, else the home's own mlflow.db.

    With --rebuild, the command shows how many runs it will delete, and asks. Runs that others wrote
    stay. The home's own mlflow.db is removed as a file if it holds no other runs.

    \b
    Exit codes: 0 success; 1 MLflow rejects a record, which was skipped.
    """

    def confirm(deletion: Deletion) -> bool:
        if yes:
            print(f"{deletion}.")
        elif not sys.stdin.isatty():
            raise RequestError(
                "`bench sync --rebuild` needs a confirmation",
                received=f"no terminal to ask at ({deletion})",
                remedy="Pass --yes to confirm",
            )
        return yes or click.confirm(f"{deletion}. Continue?")

    synced = sync(home=home, log_models=log_models, confirm=confirm if again else None)
    print(synced or "Nothing was deleted.")
    if synced and synced.rejected:
        sys.exit(1)
