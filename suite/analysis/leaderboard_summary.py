"""Leaderboards of the ranked benchmarks as plain data, for the pages that show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from suite.analysis.aggregate import Comparison
from suite.analysis.boards import Board
from suite.analysis.core_table import Block, CoreRow
from suite.analysis.final_boards import places_of
from suite.analysis.leaderboard import Leaderboard, Winner, make_leaderboard
from suite.analysis.relative import LENGTHS
from suite.analysis.statistics import Estimate
from suite.api import Task
from suite.records.benchmarks import Benchmark
from suite.records.measures import COSTS


def summarize_leaderboards(
    benchmarks: Iterable[Benchmark],
    comparisons: Sequence[Comparison],
    boards: Sequence[Board],
    tasks: Mapping[str, Task],
) -> list[dict[str, Any]]:
    """Return the winners and the core tables of each ranked benchmark that has results."""
    made = [
        make_leaderboard(benchmark, comparisons, boards, tasks)
        for benchmark in benchmarks
        if benchmark.ranked
    ]
    return [summarize(leaderboard) for leaderboard in made if leaderboard.boards]


def about_runs(board: Leaderboard) -> str:
    """Return sentences on the runs: their steps, those of earlier versions, and what is missing."""
    benchmark = board.benchmark
    steps = ", ".join(
        f"{board.titles[name]} {task.steps_text}"
        for name, task in benchmark.tasks.items()
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
        "winners": [_winner(winner, board.benchmark) for winner in board.winners],
        "blocks": [_block(block) for block in board.blocks],
    }


def _winner(winner: Winner, benchmark: Benchmark) -> dict[str, Any]:
    task, length = winner.place
    return {
        "task": task,
        "length": length,
        "benchmark": benchmark.label_of(task),
        "metric": winner.metric.name,
        "line": winner.leader,
        **_interval(winner.estimate),
        "tied": [[line, detectable] for line, detectable in winner.tied.items()],
        "next": winner.next,
        "gap": winner.gap,
        "detectable": winner.detectable_difference,
        "marks": list(winner.marks),
    }


def _block(block: Block) -> dict[str, Any]:
    return {
        "form": str(block.form).replace("_", "-"),
        "tasks": list(block.tasks),
        "rows": [_core_row(row, block) for row in block.rows],
        "incomplete": [
            [line, [list(place) for place in places]] for line, places in block.incomplete.items()
        ],
        "unscaled": [list(place) for place in block.unscaled],
        "costs": [cost.title for cost in COSTS.values()] if block.costs else [],
        "cost_lengths": list(LENGTHS),
        "cost_sessions": block.sessions,
        "cost_spread": str(block.spread or ""),
    }


def _core_row(row: CoreRow, block: Block) -> dict[str, Any]:
    return {
        "line": row.line,
        "score": None if row.score is None else _score(row.score),
        "rank": _decimal(row.mean_rank),
        "tasks": [row.by_task[task] for task in block.tasks],
        "parameters": None if row.mixing_parameters is None else list(row.mixing_parameters),
        "costs": [block.ratios(row.line, name) for name in COSTS] if block.costs else [],
        "rates": _decimal(row.good_range_decades, 2),
        "marks": list(row.marks),
    }


def _decimal(value: float | None, places: int = 1) -> float | None:
    """Return a value to some decimal places; JavaScript would round 1.25 to another than Python."""
    return None if value is None else round(value, places)


def _score(score: Estimate) -> dict[str, float | None]:
    """Return a score from 0 to 100 to one decimal place."""
    return {name: _decimal(value) for name, value in _interval(score).items()}


def _interval(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
