"""`bench ui`: the MLflow UI."""

from __future__ import annotations

import click

from suite.actions.tracking import prepare_mlflow_ui
from suite.cli.command import home_option


@click.command("ui")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", default=5000, show_default=True)
@home_option
def command(port: int, home: str | None) -> None:
    """Serve the MLflow UI on 127.0.0.1 until Ctrl-C.

    The command prints three addresses for each task: the comparison of its runs, charts of scores
    and costs against sequence length, and the table of all cells.
    """
    process, experiments = prepare_mlflow_ui(port=port, home=home)
    for name, addresses in experiments.items():
        for title, address in addresses.items():
            print(f"{name:22} {title:9}  {address}")
    print(f"All experiments: {process.address}  (stop with Ctrl-C)")
    print("The server answers when it reports `Application startup complete`.")
    process.replace_this_process()
