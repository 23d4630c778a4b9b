"""`bench prune`: delete records, checkpoints and kept weights."""

from __future__ import annotations

import sys
from typing import Any

import click

from suite.actions.pruning import prune
from suite.api import PROTOCOL
from suite.cli.command import Command, FiniteRange, home_option
from suite.records.naming import cell_label


@click.command("prune", cls=Command)
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
def command(weights: str | None, dry_run: bool, **given: Any) -> None:
    """Delete the records of a home that meet every given condition (at least one is needed).

    --older-than also deletes checkpoints of that age. --weights deletes kept weights, and no record
    unless there is a condition too. Published records stay, and MLflow keeps its
    runs until `bench sync --rebuild`.

    \b
    Examples:
      bench prune --status failed,interrupted --dry-run
      bench prune --superseded --older-than 30
      bench prune --weights superseded
    """
    pruned = prune(weights=weights, dry_run=dry_run, **given)
    if sys.stdout.isatty() or dry_run:
        for record in pruned.records:
            label = cell_label(record.cell, record.ranking)
            print(f"{record.ended_at:%Y-%m-%d}  {record.status:<14} {label}")
    done = "would be deleted" if dry_run else "deleted"
    print(f"{len(pruned.records)} records and {pruned.num_checkpoints} checkpoints {done}")
    if weights:
        size = pruned.num_bytes / 2**20
        print(f"the weights of {pruned.num_models} models ({size:.1f} MiB) {done}")
