"""`bench prune`: delete records, checkpoints and kept weights."""

from __future__ import annotations

import shutil
import sys
from datetime import timedelta
from pathlib import Path

import click

from suite.api import PROTOCOL
from suite.api.errors import RequestError
from suite.cli.options import FiniteRange, home_option, make_store, split_list
from suite.cli.unreadable import print_unreadable
from suite.matrix.plan import check_statuses
from suite.records.naming import cell_label
from suite.records.pruning import prunable
from suite.records.schema import utc_now
from suite.records.store import Store
from suite.records.weights import num_bytes, superseded_weights, weights_folders


@click.command("prune")
@click.option(
    "--older-than",
    type=FiniteRange(min=0, max=36_500),
    metavar="DAYS",
    help="Records that ended more than DAYS ago.",
)
@click.option(
    "--status",
    metavar="STATUS,…",
    help="Records with one of these statuses, as in failed,timed_out.",
)
@click.option("--old-protocols", is_flag=True, help=f"Records of protocols other than {PROTOCOL}.")
@click.option("--superseded", is_flag=True, help="Records superseded by another of their cell.")
@click.option(
    "--weights",
    type=click.Choice(["all", "superseded"]),
    help="Kept weights: all of them, or those that no valid record names.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be deleted, and delete nothing.")
@home_option
def command(
    home: str | None,
    older_than: float | None,
    status: str | None,
    old_protocols: bool,
    superseded: bool,
    weights: str | None,
    dry_run: bool,
) -> None:
    """Delete the records of a home that meet every given condition (at least one is needed).

    --older-than also deletes checkpoints of that age. --weights deletes kept weights, and no record
    unless there is a condition too. Published records stay, and MLflow keeps its
    runs until `bench rebuild --tracking`.

    \b
    Examples:
      bench prune --status failed,interrupted --dry-run
      bench prune --superseded --older-than 30
      bench prune --weights superseded
    """
    of_records = older_than is not None or bool(status or old_protocols or superseded)
    if not of_records and weights is None:
        raise RequestError(
            "At least one condition is needed",
            received="none",
            remedy="Give --older-than, --status, --old-protocols, --superseded or --weights",
        )
    store = make_store(home)
    store.prepare()
    before = utc_now() - timedelta(days=older_than) if older_than is not None else None
    records = (
        prunable(
            store,
            before=before,
            statuses=check_statuses(split_list(status) if status else ()),
            old_protocols=old_protocols,
            superseded=superseded,
            report_unreadable=print_unreadable,
        )
        if of_records
        else []
    )
    checkpoints = store.checkpoints(before) if before else []
    if sys.stdout.isatty() or dry_run:
        for record in records:
            label = cell_label(record.cell, record.ranking)
            print(f"{record.ended_at:%Y-%m-%d}  {record.status:<14} {label}")
    folders = _weights(store, weights)
    size = num_bytes(folders) / 2**20
    if not dry_run:
        for path in [*map(store.path_of, records), *checkpoints]:
            path.unlink(missing_ok=True)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    done = "would be deleted" if dry_run else "deleted"
    print(f"{len(records)} records and {len(checkpoints)} checkpoints {done}")
    if weights:
        print(f"the weights of {len(folders)} models ({size:.1f} MiB) {done}")


def _weights(store: Store, which: str | None) -> list[Path]:
    """Return the folders of kept weights to delete; superseded ones still have their records."""
    if which is None:
        return []
    return weights_folders(store) if which == "all" else superseded_weights(store, print_unreadable)
