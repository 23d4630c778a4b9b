"""The boards of a benchmark's final runs, by task and length."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from suite.analysis.boards import Board
from suite.api import Task
from suite.records.benchmark_sections import TaskSettings
from suite.records.benchmarks import Benchmark
from suite.records.naming import options_text
from suite.records.options import listed_options

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
    for board in sorted(boards, key=lambda board: (board.key.model_size == size, board.key.steps)):
        name = board.key.task
        several, task = benchmark.tasks.get(name, ()), tasks.get(name)
        label = benchmark.label_of(name, version)
        if task and any(_is_own(board, label, task, settings) for settings in several):
            place = name, board.sequence_length
            if label != benchmark.label_of(name) or board.fingerprint == benchmark.fingerprint(
                *place
            ):
                own[place] = board
    return {place: own[place] for place in places_of(benchmark) if place in own}


def places_of(benchmark: Benchmark) -> list[TaskLength]:
    """Return each task and length of a benchmark, in the order of its file."""
    return [
        (name, length) for name, settings in benchmark.each_settings for length in settings.lengths
    ]


def mean_position(name: str, boards: Iterable[Board]) -> float:
    """Return the mean position of an entry by value on the boards that rank it; 0 without any."""
    positions = [list(board.ranked).index(name) for board in boards if name in board.ranked]
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
