"""`bench leaderboard`: rank the published records; write LEADERBOARD.md, .csv and .json."""

from __future__ import annotations

from pathlib import Path

import click

from suite.analysis.boards import make_boards
from suite.api.errors import RequestError
from suite.api.files import atomic_write_bytes
from suite.api.plugins import search_path_from_environment
from suite.matrix.registry import load_registry
from suite.publish.leaderboard_files import leaderboard_files
from suite.publish.tree import check_tree
from suite.records.published import RESULTS, read_published


@click.command("leaderboard")
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit with 2 if a file is not up to date, or if a published record is too "
    "large or misplaced.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=RESULTS,
    hidden=True,
    help="For tests.",
)
def command(check: bool, results: Path) -> None:
    """Rank the published records and write results/LEADERBOARD.md, .csv and .json.

    Records are ranked together if they share the protocol, task, data, budget, batch size and
    length (for speed and memory, the machine too). Entries that are not significantly worse than
    the best share its rank.
    """
    if check:
        check_tree(results)
    registry = load_registry(search_path_from_environment())
    boards = make_boards(read_published(results), registry.task_versions)
    contents = leaderboard_files(boards)
    for name, content in contents.items():
        path = results / name
        if not check:
            atomic_write_bytes(path, content.encode())
        elif not path.exists() or path.read_bytes() != content.encode():
            raise RequestError(
                "The leaderboard must match the published records",
                received=f"results/{name}, which is stale or was edited",
                remedy="Run `make leaderboard`",
            )
    rows = sum(len(board.rows) for board in boards)
    verb = "up to date" if check else "written"
    print(f"{len(boards)} boards, {rows} rows: results/{', '.join(contents)} {verb}")
