"""`bench rebuild`: writes the MLflow store again from the records."""

from __future__ import annotations

import sys

import click

from suite.actions.tracking import rebuild
from suite.api.errors import RequestError
from suite.cli.command import Command
from suite.cli.options import home_option
from suite.tracking.sync import Deletion


@click.command("rebuild", cls=Command)
@click.option("--tracking", is_flag=True, required=True, help="Rebuild the MLflow store.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@home_option
def command(home: str | None, tracking: bool, yes: bool) -> None:
    """Delete this home's runs from MLflow and write them again from the records.

    The command shows how many runs it will delete, and asks. Runs that others wrote stay. The
    home's own mlflow.db is removed as a file if it holds no other runs.
    """

    def confirm(deletion: Deletion) -> bool:
        if yes:
            print(f"{deletion}.")
        elif not sys.stdin.isatty():
            raise RequestError(
                "`bench rebuild --tracking` needs a confirmation",
                received=f"no terminal to ask at ({deletion})",
                remedy="Pass --yes to confirm",
            )
        return yes or click.confirm(f"{deletion}. Continue?")

    synced = rebuild(home=home, confirm=confirm)
    print(synced or "Nothing was deleted.")
    if synced and synced.report.rejected:
        sys.exit(1)
