"""`bench publish`: local records → results/published."""

from __future__ import annotations

from collections import Counter

import click

from suite.cli.options import home_option, make_store
from suite.publishing import publish


@click.command("publish")
@click.option(
    "--machine",
    metavar="NAME",
    help="The folder's name.  [default: processor and cores, from the record]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be published, and write nothing.")
@home_option
def command(machine: str | None, dry_run: bool, home: str | None) -> None:
    """Check the records and copy those that pass into results/published/MACHINE.

    A record passes that was measured under the present protocol, from a clean commit, to its end.
    Host names, logs and tracebacks stay behind. Nothing published is ever changed or deleted.

    \b
    Examples:
      bench publish --dry-run
      bench publish --machine my-workstation
    """
    store = make_store(home)
    outcome = publish(store, machine, dry_run=dry_run)
    verb = "would be published" if dry_run else "published"
    folders = Counter(path.parent.name for path in outcome.written)
    for folder, count in sorted(folders.items()):
        print(f"{count} records {verb} in results/published/{folder}")
    if not outcome.written:
        print("No new record to publish")
    print(f"{outcome.stood} records stood already, {len(outcome.refused)} refused")
    for record, reason in outcome.refused:
        print(f"  {record.cell.label}: {reason}")
