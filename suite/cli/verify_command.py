"""`bench verify`: run the cell of a record again and compare both runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from suite.actions.publishing import verify
from suite.cli.command import SECONDS, Command, home_option, results_option, tfds_option
from suite.publish.verify import TIME_LIMIT_SECONDS, Verification


@click.command("verify", cls=Command)
@click.argument("record", type=click.Path(path_type=Path))
@click.option(
    "--data", metavar="SOURCE", help="The data, if the record used a user's own files: files:DIR."
)
@tfds_option
@click.option(
    "--time-limit", type=SECONDS, default=TIME_LIMIT_SECONDS, show_default=True, metavar="SECONDS"
)
@results_option
@home_option
def command(record: Path, results: Path, **given: Any) -> None:
    """Run the cell of a record again on this machine and compare both runs.

    RECORD is a file, FILE.jsonl.gz#RUN_ID, or the id of a run in the home or in results/.

    A score is reproduced if the new score lies within 2% of it. Costs depend on the machine: they
    are shown for both runs, without a verdict. The new record is in the home.

    \b
    Exit codes: 0 reproduced; 1 not reproduced; 2 this machine or version cannot run the cell.
    """
    verification = verify(record, results=results, **given)
    _print(verification)
    sys.exit(0 if verification.reproduced else 1)


def _print(verification: Verification) -> None:
    if verification.both_finished:
        for pair in verification.pairs:
            change = "—" if pair.change is None else f"{pair.change:+.1%}"
            print(
                f"{pair.measure:35} {pair.original:12.5g} there {pair.again:12.5g} here {change:>8}"
            )
    if verdict := verification.verdict():
        print(verdict)
