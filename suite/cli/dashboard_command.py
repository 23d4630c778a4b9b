"""`bench dashboard`: writes a site from the records."""

from __future__ import annotations

from pathlib import Path

import click

from suite.actions.sites import write_dashboard
from suite.cli.command import Command, home_option


@click.command("dashboard", cls=Command)
@click.option("--published", is_flag=True, help="Use the published records instead of your own.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the site. [default: in the home]",
)
@home_option
def command(published: bool, folder: Path | None, home: str | None) -> None:
    """Write the dashboard: a few pages that work from disk, without a network.

    With --published, trials of learning rates are left out as soon as there are final runs.
    """
    page = write_dashboard(folder, published=published, home=home)
    print(page or "No results are published yet: no site is written")
