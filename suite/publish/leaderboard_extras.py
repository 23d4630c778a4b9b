"""Pages beside the leaderboard: the open track, and the costs on each machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from suite.analysis.boards import Board, Row
from suite.analysis.comparison_key import ComparisonKey, titles
from suite.analysis.sessions import sessions_text
from suite.api import Mode, Track
from suite.publish.markdown import NONE, escape, escape_name, interval, number, table
from suite.records.measures import RANKED

DIGITS = 8
"""The number of digits that a page shows of a digest."""
ABOUT_COSTS = """Probes of training and inference on random tokens, by sequence length. Decodings
read a context of that length and then generate token by token. A cost is the geometric mean over
the rounds of one session that no other process disturbed; at each length it is the session that
measured most there. The rank of a cost is in brackets. An entry has no rank if it has fewer than
three such rounds, or if an entry without a rank is ahead of the best of its rank. After ± stands
the standard deviation between sessions on equal machines, if several measured the entry. "Code" is
the start of the digest of the measured code. The detectable ratio is the smallest ratio to the best
that the ranks separate, for the median entry."""


def open_track(boards: Sequence[Board]) -> str | None:
    """Return the page of the open track, which lists the options of each row; None without rows."""
    of_track = [
        board
        for board in boards
        if board.key.mode is Mode.TRAIN
        and board.key.track == Track.OPEN
        and board.key.split == "test"
        and board.valid
    ]
    if not of_track:
        return None
    parts = [
        "# Open track",
        "Entries with options that the standard track excludes. Ranks hold within one set of "
        "options. Only final runs of a frozen benchmark are ranked.",
    ]
    for task in dict.fromkeys(board.key.task for board in of_track):
        rows = [
            _open_cells(board, row)
            for board in of_track
            if board.key.task == task
            for row in board.valid
        ]
        metric = next(board.metric for board in of_track if board.key.task == task)
        head = ("length", "data", "options", "rank", "entry", metric.name, "n", "training", "note")
        parts += [f"## {escape(task)}", table(head, rows, numbers_from=99)]
    return "\n\n".join(parts) + "\n"


def _open_cells(board: Board, row: Row) -> list[str]:
    key = board.key
    return [
        f"{board.sequence_length:,}",
        escape(key.source),
        escape(key.task_options) or NONE,
        NONE if row.rank is None else str(row.rank),
        escape_name(row.entry),
        interval(row.estimate),
        str(row.estimate.n) if row.estimate else "0",
        f"{key.benchmark or 'trial'}, {key.steps:,} steps, {key.batch}",
        escape(row.note) or NONE,
    ]


def cost_pages(boards: Sequence[Board]) -> dict[str, str]:
    """Return the page of costs of each machine, by machine; they hold quiet costs alone."""
    found: dict[str, list[Board]] = {}
    for board in boards:
        if board.key.mode is not Mode.TRAIN and any(row.estimate for row in board.valid):
            found.setdefault(board.key.machine, []).append(board)
    return {machine: _cost_page(machine, of_machine) for machine, of_machine in found.items()}


def file_name(machine: str) -> str:
    """Return the name of the file of a machine's costs."""
    return f"costs-{re.sub(r'[^a-z0-9.-]+', '-', machine.lower())}.md"


def _cost_page(machine: str, boards: Sequence[Board]) -> str:
    parts = [f"# Costs on {escape(machine)}", ABOUT_COSTS]
    named = titles(board.key for board in boards)
    by_key: dict[ComparisonKey, dict[str, dict[int, Board]]] = {}
    for board in boards:
        by_measure = by_key.setdefault(board.key, {})
        by_measure.setdefault(board.metric.name, {})[board.sequence_length] = board
    for key, by_measure in by_key.items():
        boards_of_key = [board for by_length in by_measure.values() for board in by_length.values()]
        sessions = {one.sequence_length: one.session for one in boards_of_key if one.session}
        parts += [f"## {escape(named[key])}", f"{escape(sessions_text(sessions))}."]
        for name, cost in RANKED[key.mode].items():
            if name in by_measure:
                title = f"### {cost.title.capitalize()}, {cost.unit}"
                parts += [title, _cost_table(cost.scale, by_measure[name])]
    return "\n\n".join(parts) + "\n"


def _cost_table(unit: float, by_length: Mapping[int, Board]) -> str:
    rows: dict[str, dict[int, Row]] = {}
    for length, board in sorted(by_length.items()):
        for row in board.valid:
            rows.setdefault(row.entry, {})[length] = row
    lengths = sorted(by_length)
    costs = [
        [
            escape_name(line),
            _code(at.values()),
            *(_cost(at.get(length), unit) for length in lengths),
        ]
        for line, at in sorted(rows.items())
    ]
    detectable = [number(by_length[length].detectable) for length in lengths]
    head = ("entry", "code", *(f"{length:,}" for length in lengths))
    rest = [["*detectable ratio*", "", *detectable]]
    return table(head, [*costs, *rest], numbers_from=2)


def _code(rows: Iterable[Row]) -> str:
    """Return the start of the digest of the code that the rows of an entry measured."""
    digest = next((row.cost_digest for row in rows if row.cost_digest), None)
    return f"`{escape(digest[:DIGITS])}`" if digest else NONE


def _cost(row: Row | None, unit: float) -> str:
    """Return a cost, its rank in brackets, and how it varies between sessions."""
    if row is None or row.estimate is None:
        return NONE
    rank = f" ({row.rank})" if row.rank is not None else ""
    spread = "" if row.between_sessions is None else f" ±{100 * row.between_sessions:.1f}%"
    return f"{number(row.estimate.value / unit)}{rank}{spread}"
