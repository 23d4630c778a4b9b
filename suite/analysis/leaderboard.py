"""Comparisons and boards → the leaderboard of one benchmark. Nothing is printed here.

The leaderboard ranks the final runs of a benchmark, on the benchmark's own data. It has the winner
at each task and length, a core table for each form of model, a table for each task, verdicts on
published figures, and the changes since the version before.
"""

from __future__ import annotations

import functools
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from suite.analysis.aggregate import Comparison
from suite.analysis.boards import Board, Row
from suite.analysis.core_table import Block, make_blocks
from suite.analysis.expected import Verdict, verdicts
from suite.analysis.final_boards import (
    TaskLength,
    final_boards,
    marks_of,
    mean_position,
    points_of,
    standing,
)
from suite.analysis.statistics import Estimate
from suite.api import Metric, Task
from suite.records.benchmarks import Benchmark


@dataclass(frozen=True, slots=True)
class Winner:
    """The best entry at one task and length.

    `tied` maps the entries that are not separated from the leader, best first, to the difference to
    the leader that would have been separated for the entry. `gap` is how far the next entry lies
    behind; it is never negative. `detectable_difference` is the difference to the leader that the
    board would have separated for the median entry. `marks` are the leader's.
    """

    place: TaskLength
    metric: Metric
    leader: str
    estimate: Estimate
    tied: Mapping[str, float | None]
    next: str | None
    gap: float | None
    detectable_difference: float | None
    marks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TaskRow:
    """An entry of one task, with its row of each board by length."""

    line: str
    architecture: str
    by_length: Mapping[int, Row]


@dataclass(frozen=True, slots=True)
class TaskTable:
    """All entries of one task.

    `trivial` is the score of a trivial predictor by length, `detectable` the difference to the
    leader that the board of a length would have separated for the median entry, where it is known.
    """

    task: str
    metric: Metric
    lengths: Sequence[int]
    trivial: Mapping[int, float]
    detectable: Mapping[int, float]
    rows: Sequence[TaskRow]


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes since the version `before`. The first version with results has no `before`.

    `winners` maps a place to the entries of rank 1 before and now, if they differ. `superseded`
    maps an entry to the number of its rows that newer versions replaced.
    """

    before: str | None
    winners: Mapping[TaskLength, tuple[Sequence[str], Sequence[str]]]
    joined: Sequence[str]
    left: Sequence[str]
    superseded: Mapping[str, int]


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard of one benchmark; `boards` are those that it was made from, by place."""

    benchmark: Benchmark
    boards: Mapping[TaskLength, Board]
    winners: Sequence[Winner]
    blocks: Sequence[Block]
    tasks: Sequence[TaskTable]
    verdicts: Sequence[Verdict]
    changes: Changes
    machines: Sequence[str]
    latest: date | None = None
    titles: Mapping[str, str] = field(default_factory=dict)


def make_leaderboard(
    benchmark: Benchmark,
    comparisons: Iterable[Comparison],
    boards: Iterable[Board],
    tasks: Mapping[str, Task],
) -> Leaderboard:
    """Return the leaderboard of a benchmark; it has no winners if no final run is published."""
    comparisons, boards = list(comparisons), list(boards)
    found = final_boards(benchmark, boards, tasks)
    points = points_of(found, comparisons)
    rows = [row for board in found.values() for row in standing(board)]
    return Leaderboard(
        benchmark=benchmark,
        boards=found,
        winners=[won for place in found if (won := _winner(place, found[place]))],
        blocks=make_blocks(benchmark, found, points, tasks, comparisons),
        tasks=_task_tables(benchmark, found, tasks),
        verdicts=verdicts(benchmark.expected, points),
        changes=_changes(benchmark, boards, found, tasks),
        machines=sorted({machine for row in rows for machine in row.machines}),
        latest=max((row.measured_on for row in rows), default=None),
        titles={name: tasks[name].title for name in benchmark.tasks if name in tasks},
    )


def _winner(place: TaskLength, board: Board) -> Winner | None:
    ranked = {row.line: row for row in standing(board) if row.rank is not None}
    estimates = {line: row.estimate for line, row in ranked.items() if row.estimate}
    if not estimates:
        return None
    leader, *others = estimates
    gaps = {line: abs(estimates[line].value - estimates[leader].value) for line in others}
    nearest = min(gaps, key=gaps.__getitem__, default=None)
    return Winner(
        place=place,
        metric=board.metric,
        leader=leader,
        estimate=estimates[leader],
        tied={line: ranked[line].detectable_difference for line in leaders(board)[1:]},
        next=nearest,
        gap=None if nearest is None else gaps[nearest],
        detectable_difference=board.detectable_difference,
        marks=marks_of(ranked[leader]),
    )


def _task_tables(
    benchmark: Benchmark, boards: Mapping[TaskLength, Board], tasks: Mapping[str, Task]
) -> list[TaskTable]:
    tables = []
    for name in dict.fromkeys(task for task, _ in boards):
        of_task = {length: board for (task, length), board in boards.items() if task == name}
        by_line: dict[str, dict[int, Row]] = {}
        for length, board in of_task.items():
            for row in standing(board):
                by_line.setdefault(row.line, {})[length] = row
        rows = [
            TaskRow(line, next(iter(at.values())).architecture, at) for line, at in by_line.items()
        ]
        stated = benchmark.scale.get(name, {})
        trivial = {int(n): at for n, at in stated.items() if at.task_version == tasks[name].version}
        tables.append(
            TaskTable(
                task=name,
                metric=tasks[name].primary_metric,
                lengths=list(of_task),
                trivial={n: trivial[n].zero for n in of_task if n in trivial},
                detectable={
                    n: board.detectable_difference
                    for n, board in of_task.items()
                    if board.detectable_difference is not None
                },
                rows=sorted(rows, key=functools.partial(_most_ranks_first, of_task.values())),
            )
        )
    return tables


def _most_ranks_first(boards: Iterable[Board], row: TaskRow) -> tuple[int, float, float]:
    ranks = [at.rank for at in row.by_length.values() if at.rank is not None]
    mean_rank = statistics.fmean(ranks) if ranks else 0.0
    return -len(ranks), mean_rank, mean_position(row.line, boards)


def _changes(
    benchmark: Benchmark,
    boards: Sequence[Board],
    found: Mapping[TaskLength, Board],
    tasks: Mapping[str, Task],
) -> Changes:
    superseded = Counter(
        row.line for board in found.values() for row in board.rows if row.superseded_by
    )
    for version in range(benchmark.version - 1, 0, -1):
        label = f"{benchmark.name}-{version}"
        former = final_boards(benchmark, boards, tasks, version)
        if former:
            before, now = _lines(former), _lines(found)
            return Changes(
                before=label,
                winners={
                    place: (leaders(former[place]), leaders(found[place]))
                    for place in found
                    if place in former and set(leaders(former[place])) != set(leaders(found[place]))
                },
                joined=sorted(now - before),
                left=sorted(before - now),
                superseded=superseded,
            )
    return Changes(None, {}, (), (), superseded)


def leaders(board: Board) -> list[str]:
    """Return the entries of rank 1, best first."""
    return [row.line for row in standing(board) if row.rank == 1]


def _lines(boards: Mapping[TaskLength, Board]) -> set[str]:
    return {row.line for board in boards.values() for row in standing(board)}
