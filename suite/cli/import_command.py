"""`bench import`: write the records of packs to a home."""

from __future__ import annotations

from pathlib import Path

import click

from suite.actions.publishing import import_records
from suite.cli.command import Command, home_option
from suite.records.naming import cell_label


@click.command("import", cls=Command)
@click.argument("packs", nargs=-1, required=True, type=click.Path(path_type=Path))
@home_option
def command(packs: tuple[Path, ...], home: str | None) -> None:
    """Write the records of the cells that have run in PACKS.

    Each is the folder of a pack, or what `run.py --results` wrote: an archive, or the folder of the
    archives. The command can be repeated while more cells run.

    \b
    Examples:
      bench import pack
      bench import results-1.tar.gz results-2.tar.gz
      bench import results
    """
    num_records, numbers_missing = 0, []
    for records, missing in import_records(packs, home=home):
        num_records += len(records)
        numbers_missing += [] if missing is None else [missing]
        for record in records:
            label = cell_label(record.cell, record.ranking)
            print(", ".join(filter(None, (f"{label}: {record.status}", record.reason))))
    left = f", {sum(numbers_missing)} cells have not run yet" if numbers_missing else ""
    print(f"{num_records} records imported{left}")
