"""The fastest and the smallest entry at each length: a table of the leaderboard's first page."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from suite.analysis.boards import Board, Row
from suite.analysis.comparison_key import grouped
from suite.api import Mode, Track
from suite.records.benchmarks import Benchmark
from suite.records.measures import RANKED
from suite.report.markdown import NONE, escape_name, number

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
    """Return a row for each form and length: the best entry by each cost of `LEAST`.

    The costs have the last model size, the precision and the backend of the benchmark. A row is of
    the session that measured most entries there, and then of the one that ranked most. A single
    entry is no answer.
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
    form = str(board.key.form).replace("_", "-")
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
    scale = RANKED[board.key.mode][board.metric.name].scale
    return f"{escape_name(best.entry)} {number(value / scale)}{mark}"
