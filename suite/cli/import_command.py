"""`bench import`: write the records of a pack to a home."""

from __future__ import annotations

from pathlib import Path

import click

from suite.cli.options import home_option, make_store
from suite.publish.bundle import unpack


@click.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@home_option
def command(folder: Path, home: str | None) -> None:
    """Write the records of the cells that have run in the pack FOLDER.

    The command can be repeated while more cells of the pack run.
    """
    store = make_store(home)
    store.prepare()
    records, missing = unpack(folder, store)
    for record in records:
        print(", ".join(filter(None, (f"{record.cell.label}: {record.status}", record.reason))))
    print(f"{len(records)} records imported, {missing} cells have not run yet")
