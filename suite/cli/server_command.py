"""`bench server`: an MLflow server for a team."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from suite.actions.tracking import prepare_mlflow_server
from suite.cli.command import home_option


@click.command("server")
@click.option(
    "--host", metavar="HOST", default="127.0.0.1", show_default=True, help="Network address."
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", default=5000, show_default=True)
@click.option("--workers", type=click.IntRange(1), metavar="N", default=4, show_default=True)
@click.option(
    "--artifacts", type=click.Path(path_type=Path), help="Folder for files. [default: in the home]"
)
@home_option
def command(**given: Any) -> None:
    """Serve MLflow to a team, with user accounts, until Ctrl-C.

    LENGTHWISE_DATABASE_URI names the database, for example postgresql://user@host/name. Its
    password comes from PGPASSWORD or ~/.pgpass. By default the database is a SQLite file in the
    home.

    The first start needs MLFLOW_AUTH_ADMIN_PASSWORD, which becomes the password of the user
    `admin`. This user creates the other accounts at /signup.

    \b
    To send runs to the server, users set:
      MLFLOW_TRACKING_URI=http://HOST:PORT
      MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD (or ~/.mlflow/credentials)
    """
    process, database = prepare_mlflow_server(**given)
    print(f"MLflow: {process.address}  (database: {database}; stop with Ctrl-C)")
    process.replace_this_process()
