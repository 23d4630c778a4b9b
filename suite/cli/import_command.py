"""`bench import`: write the records of packs to a home."""

from __future__ import annotations

from pathlib import Path

import click

from suite.cli.options import home_option, make_store
from suite.publish.bundle import unpack
from suite.records.naming import cell_label


@click.command("import")
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
    store = make_store(home)
    store.prepare()
    packs = tuple(part for path in packs for part in _archives(path) or [path])
    num_records = num_missing = 0
    for path in packs:
        records, missing = unpack(path, store)
        num_records, num_missing = num_records + len(records), num_missing + missing
        for record in records:
            label = cell_label(record.cell, record.ranking)
            print(", ".join(filter(None, (f"{label}: {record.status}", record.reason))))
    # An archive holds the finished cells alone.
    left = f", {num_missing} cells have not run yet" if any(map(Path.is_dir, packs)) else ""
    print(f"{num_records} records imported{left}")


def _archives(folder: Path) -> list[Path]:
    """Return the archives in a folder that `run.py --results` wrote; none for anything else."""
    return sorted(folder.glob("results-*.tar.gz"))
