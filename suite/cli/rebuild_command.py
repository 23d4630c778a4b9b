"""`bench rebuild`: writes the MLflow store again from the records."""

from __future__ import annotations

import sys

import click

from suite.actions.caller import warn
from suite.actions.request import make_existing_store
from suite.api.errors import RequestError
from suite.cli.command import Command
from suite.cli.options import home_option
from suite.cli.sync_command import sync_and_print
from suite.tracking.sync import planned_deletion


@click.command("rebuild", cls=Command)
@click.option("--tracking", is_flag=True, required=True, help="Rebuild the MLflow store.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@home_option
def command(home: str | None, tracking: bool, yes: bool) -> None:
    """Delete this home's runs from MLflow and write them again from the records.

    The command shows how many runs it will delete, and asks. Runs that others wrote stay. The
    home's own mlflow.db is removed as a file if it holds no other runs.
    """
    store = make_existing_store(home)
    store.prepare()
    deletion = planned_deletion(store, warn)
    if yes:
        print(f"{deletion}.")
    elif not sys.stdin.isatty():
        raise RequestError(
            "`bench rebuild --tracking` needs a confirmation",
            received=f"no terminal to ask at ({deletion})",
            remedy="Pass --yes to confirm",
        )
    elif not click.confirm(f"{deletion}. Continue?"):
        print("Nothing was deleted.")
        return
    if not sync_and_print(store, rebuild=True):
        sys.exit(1)
