"""The fastest and the smallest entry at each length: a table for the leaderboard's first page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from suite.analysis.boards import Board, Row
from suite.api import Mode, Track
from suite.publish.leaderboard_extras import file_name
from suite.publish.markdown import NONE, escape, escape_name, number, table
from suite.records.benchmarks import Benchmark
from suite.records.measures import RANKED

UNRANKED, TIED = "°", "≈"
ABOUT = (
    "The costs are those of random tokens. Controls are left out. Each row "
    "is of one session on one machine: the one with the most entries at the length, of equals the "
    "one with the most ranked entries. Entries that it did not measure are not compared. "
    f"{TIED}: others share the rank, which may be controls. {UNRANKED}: without a rank, for "
    "example for fewer than three quiet rounds. Speeds are in thousand tokens per second, memory "
    "is in MiB, and a generated token in ms. Rows of different machines or batches cannot be "
    "compared."
)
COLUMNS = {
    "training.tokens_per_second": "fastest training",
    "training.peak_memory_bytes": "least training memory",
    "inference.tokens_per_second": "fastest inference",
    "generation.step_seconds": "fastest generated token",
}
Place = tuple[str, int]
"""The form of the measured models, such as "decoder", and the sequence length."""


def least_costs(
    boards: Iterable[Board], benchmark: Benchmark, controls: Collection[str], folder: str
) -> list[str]:
    """Return the section, or nothing without costs.

    The costs have the last model size, the precision and the backend of the benchmark. `folder`
    leads to the pages of costs.
    """
    engine = benchmark.model_size[-1], benchmark.precision, benchmark.backend
    places: dict[Place, dict[object, list[Board]]] = {}
    for board in boards:
        key = board.key
        is_comparable = (key.model_size, key.precision, key.backend) == engine
        if board.metric.name in COLUMNS and key.track == Track.STANDARD and is_comparable:
            form = key.form.replace("_", "-")
            what = f"{form}, generation" if key.mode is Mode.DECODE else form
            by_key = places.setdefault((what, board.sequence_length), {})
            by_key.setdefault((key, board.batch_size), []).append(board)
    rows = []
    for place in sorted(places):
        widest = max(places[place].values(), key=lambda of: _coverage(of, controls))
        num_measured, _ = _coverage(widest, controls)
        if num_measured > 1:  # one entry alone is no answer
            rows.append(_cells(place, widest, num_measured, controls, folder))
    if not rows:
        return []
    head = ("form", "length", "entries", *COLUMNS.values(), "batch", "machine")
    return ["## Fastest and smallest by length", ABOUT, table(head, rows, numbers_from=99)]


def _cells(
    place: Place,
    boards: Sequence[Board],
    num_measured: int,
    controls: Collection[str],
    folder: str,
) -> list[str]:
    key, of = boards[0].key, {board.metric.name: board for board in boards}
    best = [_best(of[name], controls) if name in of else NONE for name in COLUMNS]
    machine = f"[{escape(key.machine)}]({folder}{file_name(key.machine)})"
    size = str(boards[0].batch_size)
    return [place[0], f"{place[1]:,}", str(num_measured), *best, size, machine]


def _coverage(boards: Iterable[Board], controls: Collection[str]) -> tuple[int, int]:
    """Return the most entries that one of the boards measured, and the most that one ranked."""
    measured = [_measured(board, controls) for board in boards]
    ranked = ([row for row in rows if row.rank is not None] for rows in measured)
    return max(map(len, measured)), max(map(len, ranked))


def _measured(board: Board, controls: Collection[str]) -> list[Row]:
    """Return the rows that may be named."""
    return [row for row in board.valid if row.estimate and row.architecture not in controls]


def _best(board: Board, controls: Collection[str]) -> str:
    rows = _measured(board, controls)
    if len(rows) < 2:
        return NONE
    sign = -1 if board.metric.higher_is_better else 1
    best = min(rows, key=lambda row: sign * row.estimate.value if row.estimate else 0.0)
    assert best.estimate is not None
    # Entries of a rank are tied with its leader, which may be a control.
    is_tied = best.rank is not None and sum(row.rank == best.rank for row in board.valid) > 1
    mark = UNRANKED if best.rank is None else TIED if is_tied else ""
    divisor = RANKED[board.key.mode][board.metric.name].scale
    return f"{escape_name(best.entry)} {number(best.estimate.value / divisor)}{mark}"
