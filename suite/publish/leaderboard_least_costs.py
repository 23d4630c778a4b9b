"""The least cost at each length: a table for the first page of the leaderboard."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from suite.analysis.boards import Board, Row
from suite.analysis.costs import COSTS, DECODING_COSTS
from suite.analysis.final_boards import standing
from suite.analysis.grouping import ComparisonKey
from suite.api import Track
from suite.publish.leaderboard_extras import file_name
from suite.publish.markdown import NONE, escape, escape_name, number, table

UNRANKED, TIED = "°", "≈"
ABOUT = (
    "The entry with the least cost that is no control, on random tokens: of all comparisons the "
    f"one with the most entries and lengths. {TIED}: other entries have the same rank. {UNRANKED}: "
    "the costs are not ranked, for example for fewer than three quiet rounds."
)
SHOWN = (
    *("training.tokens_per_second", "training.peak_memory_bytes"),
    *("inference.tokens_per_second", "generation.step_seconds"),
)
"""The costs of the table."""


def least_costs(boards: Sequence[Board], controls: Collection[str], folder: str) -> list[str]:
    """Return the section, or nothing without costs. `folder` leads to the pages of costs."""
    rows: list[list[str]] = []
    chosen = [(name, form, of) for name in SHOWN for form, of in _widest(boards, name, controls)]
    lengths = sorted({board.sequence_length for *_, found in chosen for board in found})
    for name, form, found in chosen:
        cost = {**COSTS, **DECODING_COSTS}[name]
        by_length = {board.sequence_length: board for board in found}
        key = found[0].key
        rows.append(
            [
                f"[{form.replace('_', '-')}, {cost.title}]({folder}{file_name(key.machine)}), "
                f"{cost.unit}, {escape(key.batch)}",
                *(_least(by_length.get(length), controls, cost.divisor) for length in lengths),
            ]
        )
    if not rows:
        return []
    head = ("cost", *(f"{length:,}" for length in lengths))
    return ["## Least cost by length", ABOUT, table(head, rows, numbers_from=99)]


def _widest(
    boards: Iterable[Board], name: str, controls: Collection[str]
) -> list[tuple[str, list[Board]]]:
    """Return for each form the boards of a cost whose comparison has the most figures."""
    found: dict[str, dict[ComparisonKey, list[Board]]] = {}
    for board in boards:
        if board.metric.name == name and board.key.track == Track.STANDARD:
            found.setdefault(board.key.form, {}).setdefault(board.key, []).append(board)

    def width(of: Sequence[Board]) -> int:
        return sum(len(_measured(board, controls)) for board in of)

    widest = [(form, max(by_key.values(), key=width)) for form, by_key in sorted(found.items())]
    return [(form, of) for form, of in widest if width(of)]


def _measured(board: Board, controls: Collection[str]) -> list[Row]:
    return [row for row in standing(board) if row.estimate and row.architecture not in controls]


def _least(board: Board | None, controls: Collection[str], divisor: float) -> str:
    rows = _measured(board, controls) if board else []
    if board is None or len(rows) < 2:  # one entry alone is no answer
        return NONE
    sign = -1 if board.metric.higher_is_better else 1
    best = min(rows, key=lambda row: sign * row.estimate.value if row.estimate else 0.0)
    assert best.estimate is not None
    same = sum(row.rank == best.rank for row in rows)
    mark = UNRANKED if best.rank is None else TIED if same > 1 else ""
    return f"{escape_name(best.line)} {number(best.estimate.value / divisor)}{mark}"
