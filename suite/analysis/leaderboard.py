"""Comparisons and boards → the leaderboard of one benchmark. Nothing is printed here.

The leaderboard ranks the final runs of a benchmark, on the benchmark's own data. It has the winner
at each task and length, a core table for each form of model, a table for each task, verdicts on
published figures, and the changes since the version before.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from suite.analysis.boards import (
    Board,
    Row,
    TaskLength,
    final_boards,
    mean_position,
    places_of,
    rows_by_entry,
)
from suite.analysis.comparison_key import grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.core_table import Block, make_blocks
from suite.analysis.cost_ratios import LENGTHS
from suite.analysis.estimates import Estimate
from suite.api import Metric, Task
from suite.records.benchmark_sections import ExpectedFigure
from suite.records.benchmarks import Benchmark
from suite.records.measures import COSTS


class Agreement(StrEnum):
    """Whether a measured figure agrees with a published one."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class FigureVerdict:
    """A published figure, the measured one, and whether they agree."""

    expected: ExpectedFigure
    measured: Estimate | None
    agreement: Agreement


def _verdict(figure: ExpectedFigure, boards: Mapping[TaskLength, Board]) -> FigureVerdict:
    """Return the verdict on a published figure.

    The figures agree if the whole measured interval lies within the tolerance, and differ if it
    lies outside. Otherwise, and with fewer than three seeds, the question is undecided.
    """
    board = boards.get((figure.task, figure.length))
    rows = [row for row in (board.valid if board else ()) if row.entry == figure.architecture]
    primary = rows[0].metric if rows else None  # the range of other metrics is unknown
    metric = primary if primary and primary.name == figure.metric else Metric(figure.metric)
    scores = rows[0].scores(metric) if rows else None
    if not scores or not scores.by_seed:
        return FigureVerdict(figure, None, Agreement.NOT_MEASURED)
    measured, agreement = scores.estimate(), Agreement.UNDECIDED
    least, most = figure.value - figure.tolerance, figure.value + figure.tolerance
    if ends := measured.ends:
        if least <= ends[0] and ends[1] <= most:
            agreement = Agreement.AGREES
        elif ends[1] < least or ends[0] > most:
            agreement = Agreement.DIFFERS
    return FigureVerdict(figure, measured, agreement)


@dataclass(frozen=True, slots=True)
class Winner:
    """The best entry at one task and length.

    `tied` maps the entries that are not separated from the leader, best first, to the difference to
    the leader that would have been separated for the entry. `gap` is how far the next entry lies
    behind; it is never negative. `detectable_difference` is the difference to the leader that the
    board would have separated for the median entry. `footnotes` are the leader's.
    """

    place: TaskLength
    metric: Metric
    leader: str
    estimate: Estimate
    tied: Mapping[str, float | None]
    next: str | None
    gap: float | None
    detectable_difference: float | None
    footnotes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TaskTable:
    """All entries of one task, with the board of each length.

    `trivial` is the score of a trivial predictor by length, where it is known. `rows` maps each
    entry to its rows by length; the entries with the most ranks come first.
    """

    task: str
    metric: Metric
    boards: Mapping[int, Board]
    trivial: Mapping[int, float]
    rows: Mapping[str, Mapping[int, Row]]


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
    verdicts: Sequence[FigureVerdict]
    changes: Changes
    machines: Sequence[str]
    latest: date | None = None
    titles: Mapping[str, str] = field(default_factory=dict)


def make_leaderboards(
    benchmarks: Iterable[Benchmark],
    comparisons: Sequence[Comparison],
    boards: Sequence[Board],
    tasks: Mapping[str, Task],
) -> list[Leaderboard]:
    """Return the leaderboard of each ranked benchmark that has results."""
    made = [
        make_leaderboard(benchmark, comparisons, boards, tasks)
        for benchmark in benchmarks
        if benchmark.ranked
    ]
    return [leaderboard for leaderboard in made if leaderboard.boards]


def make_leaderboard(
    benchmark: Benchmark,
    comparisons: Sequence[Comparison],
    boards: Sequence[Board],
    tasks: Mapping[str, Task],
) -> Leaderboard:
    """Return the leaderboard of a benchmark; it has no winners if no final run is published."""
    own = final_boards(benchmark, boards, tasks)
    rows = [row for board in own.values() for row in board.valid]
    return Leaderboard(
        benchmark=benchmark,
        boards=own,
        winners=[winner for place in own if (winner := _winner(place, own[place]))],
        blocks=make_blocks(benchmark, own, tasks, comparisons),
        tasks=[
            _task_table(name, tasks[name], benchmark, {n: own[name, n] for _, n in places})
            for name, places in grouped(own, lambda place: place[0]).items()
        ],
        verdicts=[_verdict(figure, own) for figure in benchmark.expected],
        changes=_changes(benchmark, boards, own, tasks),
        machines=sorted({machine for row in rows for machine in row.machines}),
        latest=max((row.measured_on for row in rows), default=None),
        titles={name: tasks[name].title for name in benchmark.tasks if name in tasks},
    )


def _winner(place: TaskLength, board: Board) -> Winner | None:
    ranked = board.ranked
    estimates = {name: row.estimate for name, row in ranked.items() if row.estimate}
    if not estimates:
        return None
    leader, *others = estimates
    gaps = {name: abs(estimates[name].value - estimates[leader].value) for name in others}
    nearest = min(gaps, key=gaps.__getitem__, default=None)
    return Winner(
        place=place,
        metric=board.metric,
        leader=leader,
        estimate=estimates[leader],
        tied={name: ranked[name].detectable_difference for name in leaders(board)[1:]},
        next=nearest,
        gap=None if nearest is None else gaps[nearest],
        detectable_difference=board.detectable_difference,
        footnotes=ranked[leader].footnotes,
    )


def _task_table(
    name: str, task: Task, benchmark: Benchmark, boards: Mapping[int, Board]
) -> TaskTable:
    by_entry = rows_by_entry(boards)

    def order(entry: str) -> tuple[int, float, float]:
        ranks = [row.rank for row in by_entry[entry].values() if row.rank is not None]
        mean_rank = statistics.fmean(ranks) if ranks else 0.0
        return -len(ranks), mean_rank, mean_position(entry, boards.values())

    stated = benchmark.scale.get(name, {})
    zeros = {
        length: scale.zero
        for length in boards
        if (scale := stated.get(str(length))) and scale.task_version == task.version
    }
    rows = {entry: by_entry[entry] for entry in sorted(by_entry, key=order)}
    return TaskTable(name, task.primary_metric, boards, zeros, rows)


def _changes(
    benchmark: Benchmark,
    boards: Sequence[Board],
    current: Mapping[TaskLength, Board],
    tasks: Mapping[str, Task],
) -> Changes:
    superseded = Counter(
        row.entry for board in current.values() for row in board.rows if row.superseded_by
    )
    for version in range(benchmark.version - 1, 0, -1):
        if former := final_boards(benchmark, boards, tasks, version):
            before, now = (
                {row.entry for board in of_version.values() for row in board.valid}
                for of_version in (former, current)
            )
            both = {
                place: (leaders(former[place]), leaders(board))
                for place, board in current.items()
                if place in former
            }
            return Changes(
                before=f"{benchmark.name}-{version}",
                winners={
                    place: pair for place, pair in both.items() if set(pair[0]) != set(pair[1])
                },
                joined=sorted(now - before),
                left=sorted(before - now),
                superseded=superseded,
            )
    return Changes(None, {}, (), (), superseded)


def leaders(board: Board) -> list[str]:
    """Return the entries of rank 1, best first."""
    return [row.entry for row in board.valid if row.rank == 1]


def about_runs(board: Leaderboard) -> str:
    """Return sentences on the runs: their steps, those of earlier versions, and what is missing."""
    benchmark = board.benchmark
    steps = ", ".join(
        f"{board.titles[name]} {' and '.join(dict.fromkeys(of.steps_text for of in several))}"
        for name, several in benchmark.tasks.items()
        if name in board.titles
    )
    said = [f"Each model is trained from scratch. Steps: {steps}."]
    if kept := ", ".join(sorted({benchmark.label_of(task) for task in benchmark.unchanged_since})):
        said.append(f"Tasks that did not change keep their runs of {kept}.")
    there = {winner.place for winner in board.winners}
    missing = [
        f"{board.titles[task]} {length:,}"
        for task, length in places_of(benchmark)
        if (task, length) not in there and task in board.titles
    ]
    if missing:
        said.append(f"No final runs are ranked yet: {', '.join(missing)}.")
    return " ".join(said)


def summarize(board: Leaderboard) -> dict[str, Any]:
    """Return the winners and the core tables of a leaderboard, as values that JSON can hold."""
    return {
        "label": board.benchmark.label,
        "summary": board.benchmark.summary,
        "about_runs": about_runs(board),
        "machines": list(board.machines),
        "latest": str(board.latest or ""),
        "titles": dict(board.titles),
        "winners": [
            {
                "task": winner.place[0],
                "length": winner.place[1],
                "benchmark": board.benchmark.label_of(winner.place[0]),
                "metric": winner.metric.name,
                "entry": winner.leader,
                **_interval(winner.estimate),
                "tied": [list(item) for item in winner.tied.items()],
                "next": winner.next,
                "gap": winner.gap,
                "detectable": winner.detectable_difference,
                "marks": list(winner.footnotes),
            }
            for winner in board.winners
        ],
        "blocks": [_block(block) for block in board.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    return {
        "form": str(block.form).replace("_", "-"),
        "tasks": list(block.tasks),
        "rows": [
            {
                "entry": row.entry,
                "score": row.score and _interval(row.score, 1),
                "rank": round(row.mean_rank, 1),
                "tasks": [row.by_task[task] for task in block.tasks],
                "parameters": row.mixing_parameters and list(row.mixing_parameters),
                "costs": [block.ratios(row.entry, name) for name in COSTS] if block.costs else [],
                "rates": row.good_range_decades and round(row.good_range_decades, 2),
                "marks": list(row.footnotes),
            }
            for row in block.rows
        ],
        "incomplete": [
            [name, [list(place) for place in places]] for name, places in block.incomplete.items()
        ],
        "unscaled": [list(place) for place in block.unscaled],
        "costs": [cost.title for cost in COSTS.values()] if block.costs else [],
        "cost_lengths": list(LENGTHS),
        "cost_sessions": block.sessions,
        "cost_spread": block.spread,
    }


def _interval(estimate: Estimate, places: int | None = None) -> dict[str, float | None]:
    """Return an estimate; JavaScript would round 1.25 to another decimal than Python."""
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    if places is None:
        return ends
    return {name: None if end is None else round(end, places) for name, end in ends.items()}
