"""The files of the leaderboard: LEADERBOARD.md and the folder `leaderboard`.

The folder has the open track if it has rows, the costs on each machine, the tuned learning rates,
an archive of all rows, and the pages of further ranked benchmarks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from suite.analysis.boards import Board, rank_comparisons
from suite.analysis.comparisons import Comparison
from suite.analysis.leaderboard import Leaderboard, make_leaderboard
from suite.analysis.training_counts import count_trials, count_unranked_runs
from suite.api import Architecture
from suite.matrix.registry import Registry
from suite.publish.leaderboard_archive import to_csv
from suite.publish.leaderboard_extras import cost_pages, file_name, open_track
from suite.publish.leaderboard_least_costs import least_costs
from suite.publish.leaderboard_page import LeaderboardPage, without_results
from suite.publish.learning_rates_page import LEARNING_RATES, learning_rates_page
from suite.records.published import StoredRecord
from suite.records.tuned_rates import Tuned

MAIN = "LEADERBOARD.md"
FOLDER = "leaderboard"
ARCHIVE = "archive.csv"
MAIN_BENCHMARK = "core"
"""The benchmark of LEADERBOARD.md, once it has results."""


def leaderboard_files(
    records: Sequence[StoredRecord],
    comparisons: Sequence[Comparison],
    registry: Registry,
    choices: Sequence[Tuned] = (),
) -> dict[str, str]:
    """Return the content of each file of the leaderboard, by its path in `results`.

    `comparisons` are those of the records, and `choices` the tuned learning rates.
    """
    boards = rank_comparisons(comparisons)
    found = [
        make_leaderboard(benchmark, comparisons, boards, registry.tasks.plugins)
        for benchmark in registry.benchmarks.plugins.values()
        if benchmark.ranked
    ]
    found = sorted((board for board in found if board.boards), key=_main_first)
    architectures = registry.architectures.plugins
    controls = {name: part for name, part in architectures.items() if part.control}
    beside = _beside(boards)
    if choices:
        beside[LEARNING_RATES] = learning_rates_page(choices, registry.tasks.plugins)
    files = {}
    if not found:
        counts = [*count_unranked_runs(records), *count_trials(records)]
        files[MAIN] = without_results(_links(beside, f"{FOLDER}/"), counts)
    least = least_costs(boards, found[0].benchmark, controls, f"{FOLDER}/") if found else []
    for number, leaderboard in enumerate(found):
        others = [other.benchmark.name for other in found[1:] if other is not leaderboard]
        files |= _pages(leaderboard, controls, others, list(beside), least, is_main=number == 0)
    return {**files, **{f"{FOLDER}/{name}": content for name, content in beside.items()}}


def _main_first(board: Leaderboard) -> tuple[bool, str]:
    return board.benchmark.name != MAIN_BENCHMARK, board.benchmark.name


def _beside(boards: Sequence[Board]) -> dict[str, str]:
    """Return the files of the folder that belong to no benchmark; none without results."""
    tested = [board for board in boards if board.key.split != "validation"]
    if not tested:
        return {}
    pages = {file_name(machine): page for machine, page in cost_pages(boards).items()}
    page = open_track(boards)
    track = {} if page is None else {"open.md": page}
    return {**track, **pages, ARCHIVE: to_csv(tested)}


def _pages(
    leaderboard: Leaderboard,
    controls: Mapping[str, Architecture],
    others: Sequence[str],
    beside: Sequence[str],
    least: Sequence[str],
    *,
    is_main: bool,
) -> dict[str, str]:
    """Return the page of a benchmark, and that of its whole tables if the page cuts them."""
    name = leaderboard.benchmark.name
    path = MAIN if is_main else f"{FOLDER}/{name}.md"
    up, down = ("", f"{FOLDER}/") if is_main else ("../", "")
    links = _links([*beside, *(f"{other}.md" for other in others)], down)
    links.append(("changes that moved numbers", f"{up}CHANGES.md"))
    trained = frozenset(name for name, part in controls.items() if not part.probe_only)
    page = LeaderboardPage(leaderboard, frozenset(controls), trained, links)
    if is_main:
        page = replace(page, least_costs=least)
    if page.fits:
        return {path: page.text()}
    tables = f"{name}-tables.md"
    return {path: page.cut(f"{down}{tables}").text(), f"{FOLDER}/{tables}": page.tables()}


def _links(files: Iterable[str], folder: str) -> list[tuple[str, str]]:
    """Return the title and the target of each file."""
    titles = {
        "open.md": "open track",
        ARCHIVE: "all rows but trials",
        LEARNING_RATES: "learning rates",
    }
    return [(titles.get(file) or _title(file), folder + file) for file in files]


def _title(file: str) -> str:
    return file.removesuffix(".md").replace("costs-", "costs on ", 1)
