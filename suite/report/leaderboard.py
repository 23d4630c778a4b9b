"""The files of the leaderboard: LEADERBOARD.md and the folder `leaderboard`.

The folder has the open track if it has rows, the costs on each machine, the tuned learning rates,
an archive of all rows, and the pages of further ranked benchmarks. The templates hold the wording.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from suite.analysis.boards import Board, Row, rank_comparisons, rows_by_entry, scores_of
from suite.analysis.comparison_key import grouped, titles
from suite.analysis.comparisons import Comparison
from suite.analysis.cost_ratios import LENGTHS
from suite.analysis.leaderboard import Leaderboard, Winner, about_runs, make_leaderboards
from suite.analysis.learning_rates import count_unranked, search_summaries
from suite.analysis.sessions import sessions_text
from suite.analysis.training_time import TrainingTimes
from suite.api import Architecture, Form, Mode, Track
from suite.matrix.registry import Registry
from suite.records.benchmarks import Benchmark
from suite.records.measures import COSTS, RANKED, score_decimals
from suite.records.published import StoredRecord
from suite.records.tuned_rates import Tuned
from suite.report.archive import to_csv
from suite.report.markdown import (
    NONE,
    Footnotes,
    escape,
    escape_name,
    interval,
    render,
    shared_notes,
    shortened,
    small,
)

MAIN = "LEADERBOARD.md"
FOLDER = "leaderboard"
LINKS = {
    "open.md": "open track",
    "archive.csv": "all rows but trials",
    "learning-rates.md": "learning rates",
}
"""The title of each file of the folder; other pages are titled by their names."""
FORMS = {
    Form.ENCODER: "Encoders",
    Form.DECODER: "Decoders",
    Form.ENCODER_DECODER: "Encoder-decoders",
}


def leaderboard_files(
    records: Sequence[StoredRecord],
    comparisons: Sequence[Comparison],
    registry: Registry,
    choices: Sequence[Tuned] = (),
) -> dict[str, str]:
    """Return the content of each file of the leaderboard, by its path in `results`.

    `comparisons` are those of the records, and `choices` the tuned learning rates.
    """
    tasks, architectures = registry.tasks.plugins, registry.architectures.plugins
    controls = {name: part for name, part in architectures.items() if part.control}
    boards = rank_comparisons(comparisons)
    found = make_leaderboards(registry.benchmarks.plugins.values(), comparisons, boards, tasks)
    first = found[0] if found else None
    beside = _pages_beside(boards)
    if choices:
        searches = search_summaries(choices, tasks)
        beside["learning-rates.md"] = _render("learning-rates.md", searches=searches)
    own = {f"{one.benchmark.name}.md": one for one in found[1:]}
    if first is None:
        counts = count_unranked(records)
        main = _render("no-results.md", links=_links(beside, f"{FOLDER}/"), counts=counts)
    else:
        links = _links([*beside, *own], f"{FOLDER}/")
        least = least_costs(boards, first.benchmark, controls)
        main = _page(first, controls, links, least=least, down=f"{FOLDER}/", up="")
    pages = {
        name: _page(board, controls, _links([*beside, *(other for other in own if other != name)]))
        for name, board in own.items()
    }
    return {MAIN: main, **{f"{FOLDER}/{name}": page for name, page in (pages | beside).items()}}


def _links(files: Iterable[str], folder: str = "") -> list[tuple[str, str]]:
    return [
        (
            LINKS.get(file) or file.removesuffix(".md").replace("costs-", "costs on ", 1),
            folder + file,
        )
        for file in files
    ]


def _page(
    board: Leaderboard,
    controls: Mapping[str, Architecture],
    links: Sequence[tuple[str, str]],
    *,
    least: Sequence[Mapping[str, Any]] = (),
    down: str = "",
    up: str = "../",
) -> str:
    notes = Footnotes()

    def rank_and_value(row: Row | None, shared: Sequence[str], places: int) -> str:
        own = [text for text in row.footnotes if text not in shared] if row else []
        if row is None or row.estimate is None:
            return escape("; ".join(own)) or NONE
        return notes.after(f"{row.rank or NONE}: {interval(row.estimate, places)}", own)

    # Controls that are probed only, or that the benchmark leaves out, are not missing.
    wanted = {name for name, part in controls.items() if not part.probe_only}
    wanted = set(filter(board.benchmark.includes, wanted))
    absent = {
        table.form: sorted(wanted - {row.architecture for row in table.rows})
        for table in board.costs
    }
    return _render(
        "leaderboard.md",
        board=board,
        benchmark=board.benchmark,
        about_runs=about_runs(board),
        controls=controls,
        architecture_of={row.entry: row.architecture for of in board.costs for row in of.rows},
        absent=absent,
        least_costs=least,
        least_titles=LEAST.values(),
        notes=notes,
        forms=FORMS,
        costs=COSTS,
        cost_lengths=LENGTHS,
        links=links,
        up=up,
        down=down,
        tied=_tied,
        rank_and_value=rank_and_value,
        shared_by=_shared_by,
        shared_by_winners=shared_notes([winner.footnotes for winner in board.winners]),
        minutes_to=_minutes_to,
        cost_page=cost_page_name,
    )


def _shared_by(boards: Iterable[Board]) -> list[str]:
    """Return the notes that all rows of boards share."""
    return shared_notes([row.footnotes for board in boards for row in board.valid])


def _minutes_to(times: TrainingTimes, entry: str, length: int) -> str:
    """Return the minutes until an entry is as good as the reference at a length."""
    target = times.target(length)
    seconds = None if target is None else times.seconds_to(target, entry, length)
    return NONE if seconds is None else f"{seconds / 60:.1f}"


def _tied(winner: Winner) -> str:
    return shortened(f"{escape_name(name)} ({small(least)})" for name, least in winner.tied.items())


def _pages_beside(boards: Sequence[Board]) -> dict[str, str]:
    """Return the files of the folder that belong to no benchmark; none without results."""
    tested = [board for board in boards if board.key.split != "validation"]
    if not tested:
        return {}
    opened = [
        board
        for board in tested
        if board.key.mode is Mode.TRAIN and board.key.track == Track.OPEN and board.valid
    ]
    files = {}
    if opened:
        files["open.md"] = _render(
            "open.md",
            by_task=grouped(opened, lambda one: one.key.task),
            shared_by=_shared_by,
            decimals_of=lambda boards: score_decimals(scores_of(boards)),
        )
    measured = [
        board
        for board in boards
        if board.key.mode is not Mode.TRAIN and any(row.estimate for row in board.valid)
    ]
    for machine, of_machine in grouped(measured, lambda board: board.key.machine).items():
        parts = _cost_parts(of_machine)
        files[cost_page_name(machine)] = _render("costs.md", machine=machine, parts=parts)
    return {**files, "archive.csv": to_csv(tested)}


def cost_page_name(machine: str) -> str:
    """Return the name of the file of a machine's costs."""
    return f"costs-{re.sub(r'[^a-z0-9.-]+', '-', machine.lower())}.md"


def _cost_parts(boards: Sequence[Board]) -> list[dict[str, Any]]:
    named = titles(board.key for board in boards)
    parts = []
    for key, of_key in grouped(boards, lambda board: board.key).items():
        tables = []
        for name, cost in RANKED[key.mode].items():
            by_length = {
                board.sequence_length: board
                for board in sorted(of_key, key=lambda board: board.sequence_length)
                if board.metric.name == name
            }
            if by_length:
                tables.append((cost, by_length, dict(sorted(rows_by_entry(by_length).items()))))
        sessions = sessions_text((board.sequence_length, board.session) for board in of_key)
        parts.append({"title": named[key], "sessions": sessions, "tables": tables})
    return parts


def _render(name: str, **content: Any) -> str:
    return re.sub(r"\n{3,}", "\n\n", render(name, **content)).strip() + "\n"


UNRANKED, TIED = "°", "≈"
LEAST = {
    "training.tokens_per_second": "fastest training",
    "training.peak_memory_bytes": "least training memory",
    "inference.tokens_per_second": "fastest inference",
    "generation.step_seconds": "fastest generated token",
}


def least_costs(
    boards: Iterable[Board], benchmark: Benchmark, controls: Collection[str]
) -> list[dict[str, Any]]:
    """Return a row for each form and length with several entries: the best by each cost of `LEAST`.

    The costs have the last model size, the precision and the backend of the benchmark. A row is of
    the session that measured most entries there, and then of the one that ranked most.
    """
    engine = benchmark.model_size[-1], benchmark.precision, benchmark.backend
    measured = [
        board
        for board in boards
        if board.metric.name in LEAST
        and board.key.track == Track.STANDARD
        and (board.key.model_size, board.key.precision, board.key.backend) == engine
    ]

    def coverage(of_session: Iterable[Board]) -> tuple[int, int]:
        rows = [_models(board, controls) for board in of_session]
        ranked = (sum(row.rank is not None for row in of_board) for of_board in rows)
        return max(map(len, rows)), max(ranked)

    found = []
    for (form, length), of_place in sorted(grouped(measured, _place).items()):
        sessions = grouped(of_place, lambda board: (board.key, board.batch_size)).values()
        widest = max(sessions, key=coverage)
        num_entries, _ = coverage(widest)
        if num_entries > 1:
            by_cost = {board.metric.name: board for board in widest}
            best = [_best(by_cost[name], controls) if name in by_cost else NONE for name in LEAST]
            found.append(
                {
                    "form": form,
                    "length": length,
                    "num_entries": num_entries,
                    "best": best,
                    "batch": widest[0].batch_size,
                    "machine": widest[0].key.machine,
                }
            )
    return found


def _place(board: Board) -> tuple[str, int]:
    """Return the form of the measured models, such as "decoder, generation", and the length."""
    form = board.key.form_text
    what = f"{form}, generation" if board.key.mode is Mode.DECODE else form
    return what, board.sequence_length


def _models(board: Board, controls: Collection[str]) -> list[Row]:
    return [row for row in board.valid if row.estimate and row.architecture not in controls]


def _best(board: Board, controls: Collection[str]) -> str:
    """Return the best entry and its cost; a mark says that it is tied or without a rank."""
    rows = _models(board, controls)
    if len(rows) < 2:
        return NONE
    sign = -1 if board.metric.higher_is_better else 1
    value, best = min(
        ((row.estimate.value, row) for row in rows if row.estimate),
        key=lambda pair: sign * pair[0],
    )
    # Entries of a rank are tied with its leader, which may be a control.
    is_tied = sum(row.rank == best.rank for row in board.valid) > 1
    mark = UNRANKED if best.rank is None else TIED if is_tied else ""
    shown = RANKED[board.key.mode][board.metric.name]
    return f"{escape_name(best.entry)} {shown.text(value)}{mark}"
