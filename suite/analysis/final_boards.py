"""The boards of a benchmark's final runs, by task and length."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from suite.analysis.aggregate import Comparison, Point
from suite.analysis.boards import Board, Row
from suite.analysis.tiers import Tier
from suite.api import Task
from suite.matrix.benchmark_sections import TaskSettings
from suite.matrix.benchmarks import Benchmark
from suite.matrix.options import listed_options
from suite.records.naming import options_text

TaskLength = tuple[str, int]
"""A task and a sequence length of a benchmark; each has one board."""


def final_boards(
    benchmark: Benchmark,
    boards: Iterable[Board],
    tasks: Mapping[str, Task],
    version: int | None = None,
) -> dict[TaskLength, Board]:
    """Return the boards of a benchmark's final runs on its own data, in the order of its file.

    A board is on the data of the benchmark if it has the fingerprint in the file. `version` is
    another version of the benchmark. The file does not state the data of that version: its runs
    were checked when they were published. A place has the board of the last model size, and there
    of the largest budget.
    """
    own: dict[TaskLength, Board] = {}
    size = benchmark.model_size[-1]
    for board in sorted(boards, key=lambda one: (one.key.model_size == size, one.key.steps)):
        name = board.key.task
        settings, task = benchmark.tasks.get(name), tasks.get(name)
        label = benchmark.label_of(name, version)
        if settings and task and _is_own(board, label, task, settings):
            place = name, board.sequence_length
            if label != benchmark.label_of(name) or board.fingerprint == benchmark.fingerprint(
                *place
            ):
                own[place] = board
    return {place: own[place] for place in places_of(benchmark) if place in own}


def places_of(benchmark: Benchmark) -> list[TaskLength]:
    """Return each task and length of a benchmark, in the order of its file."""
    return [(name, length) for name, of in benchmark.tasks.items() for length in of.lengths]


def standing(board: Board) -> list[Row]:
    """Return the rows of a board that are not superseded."""
    return [row for row in board.rows if not row.superseded_by]


def marks_of(row: Row) -> list[str]:
    """Return the tier of a row, unless it was measured here, and its notes."""
    measured_here = row.tier in (Tier.LOCAL, Tier.REFERENCE)
    return [*([] if measured_here else [str(row.tier)]), *filter(None, row.note.split("; "))]


def mean_position(line: str, boards: Iterable[Board]) -> float:
    """Return the mean position of an entry by value on the boards that rank it; 0 without any."""
    positions = [
        number
        for board in boards
        for number, row in enumerate(row for row in standing(board) if row.rank is not None)
        if row.line == line
    ]
    return statistics.fmean(positions) if positions else 0.0


def _is_own(board: Board, label: str, task: Task, settings: TaskSettings) -> bool:
    """Return whether a board ranks final runs on the data and with the options of the benchmark."""
    key = board.key
    return (
        key.benchmark == label
        and key.split == "test"
        and key.source == (settings.source or task.default_source)
        and key.task_options == options_text(listed_options(task, settings.options))
        and board.sequence_length in settings.lengths
    )


def points_of(
    boards: Mapping[TaskLength, Board], comparisons: Iterable[Comparison]
) -> dict[TaskLength, dict[str, Point]]:
    """Return the points behind the standing rows of each board, by entry."""
    by_key = {comparison.key: comparison for comparison in comparisons}
    return {
        place: {
            point.entry: point
            for point in by_key[board.key].points
            if point.runs
            and (point.sequence_length, point.batch_size)
            == (board.sequence_length, board.batch_size)
        }
        for place, board in boards.items()
    }
