"""`bench leaderboard`: rank the published records; write LEADERBOARD.md and its folder."""

from __future__ import annotations

from pathlib import Path

import click

from suite.actions.sites import write_leaderboard
from suite.api.files import RESULTS
from suite.cli.command import Command


@click.command("leaderboard", cls=Command)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit with 2 if a file is not up to date, or if a published record is too "
    "large or misplaced.",
)
@click.option(
    "--results", type=click.Path(path_type=Path, exists=True, file_okay=False), default=RESULTS,
    hidden=True,
)  # fmt: skip
def command(check: bool, results: Path) -> None:
    """Rank the published records and write results/LEADERBOARD.md and results/leaderboard.

    LEADERBOARD.md ranks the final runs of the benchmark `core`, or of another ranked benchmark
    while `core` has none. The folder has the open track once it has results, the costs on each
    machine, the tuned learning rates, and an archive of all rows. The figures between marks in
    results/*.md and docs/*.md are inserted again.
    """
    paths = write_leaderboard(results, check=check)
    print(f"{', '.join(paths)}: {'up to date' if check else 'written'}")
