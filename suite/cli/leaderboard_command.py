"""`bench leaderboard`: rank the published records; write LEADERBOARD.md and its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.analysis.comparisons import Comparison, compare
from suite.api.errors import RequestError
from suite.api.files import RESULTS, atomic_write_bytes
from suite.cli.registry import read_registry
from suite.publish.frozen import check_finals
from suite.publish.inserted_figures import (
    FigureError,
    fill_page,
    has_figures,
    selectable,
)
from suite.publish.leaderboard_files import FOLDER, leaderboard_files
from suite.publish.tree import check_tree
from suite.records.collector import collector_paused
from suite.records.published import read_published
from suite.records.tuned_rates import read_choices
from suite.search.tuning_evidence import check_tuning_files

if TYPE_CHECKING:
    import pandas

README = "README.md"
"""The page of findings, whose figures come from the records."""


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
    """Rank the published records and write results/LEADERBOARD.md and results/leaderboard.

    LEADERBOARD.md ranks the final runs of the benchmark `core`, or of another ranked benchmark
    while `core` has none. The folder has the open track once it has results, the costs on each
    machine, the tuned learning rates, and an archive of all rows. The figures between marks in
    results/README.md and docs/*.md are inserted again.
    """
    if check:
        check_tree(results)
    registry = read_registry()
    with collector_paused():
        records = read_published(results)
        check_finals(records, registry)
        choices = read_choices(results / "tuning")
        check_tuning_files(choices, registry.tasks.plugins)
        comparisons = compare(records, registry.task_versions)
        contents = leaderboard_files(records, comparisons, registry, choices)
        contents |= _pages_with_figures(results, comparisons)
    former = {f"{FOLDER}/{path.name}" for path in (results / FOLDER).glob("*")}
    for name, content in contents.items():
        path = results / name
        if not check:
            path.parent.mkdir(exist_ok=True)
            atomic_write_bytes(path, content.encode())
        elif not path.exists() or path.read_bytes() != content.encode():
            raise _stale(name)
    for name in sorted(former - contents.keys()):
        if check:
            raise _stale(name)
        (results / name).unlink()
    verb = "up to date" if check else "written"
    print(f"{', '.join(map(_path, contents))}: {verb}")


def _pages_with_figures(results: Path, comparisons: Sequence[Comparison]) -> dict[str, str]:
    """Return the pages that have marks of figures, by their paths relative to `results`."""
    frame = selectable(comparisons)
    guides = sorted((results.parent / "docs").glob("*.md"))
    texts = {
        os.path.relpath(path, results): path.read_text(encoding="utf-8")
        for path in (results / README, *guides)
        if path.exists()
    }
    return {name: _filled(name, text, frame) for name, text in texts.items() if has_figures(text)}


def _filled(name: str, text: str, frame: pandas.DataFrame) -> str:
    try:
        return fill_page(text, frame)
    except FigureError as error:
        raise FigureError(f"{_path(name)}: {error}") from None


def _path(name: str) -> str:
    """Return the path of a file, relative to the folder that has the folder of results."""
    return os.path.normpath(f"results/{name}")


def _stale(name: str) -> RequestError:
    return RequestError(
        "The leaderboard must match the published records",
        received=f"{_path(name)}, which is stale or was edited",
        remedy="Run `make leaderboard`",
    )
