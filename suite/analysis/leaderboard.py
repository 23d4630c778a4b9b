"""Comparisons and boards → the leaderboard of one benchmark. Nothing is printed here.

The leaderboard ranks the final runs of a benchmark, on the benchmark's own data. It has the winner
of each board, a table for each task and number of updates, the sizes and costs of the entries,
verdicts on published figures, and the changes since the version before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from suite.analysis.boards import (
    Board,
    BoardKey,
    Row,
    board_keys,
    final_boards,
)
from suite.analysis.comparisons import MAIN_BENCHMARK, Comparison
from suite.analysis.cost_ratios import LENGTHS
from suite.analysis.entry_tables import CostTable, QualityTable, cost_tables, quality_tables
from suite.analysis.estimates import Estimate
from suite.analysis.training_time import TrainingTimes, training_times
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


def _verdict(figure: ExpectedFigure, boards: Mapping[BoardKey, Board]) -> FigureVerdict:
    """Return the verdict on a published figure; the measured one has the most updates.

    The figures agree if the whole measured interval lies within the tolerance, and differ if it
    lies outside. Otherwise, and with fewer than three seeds, the question is undecided.
    """
    keys = [key for key in boards if key[:2] == (figure.task, figure.length)]
    board = boards[max(keys)] if keys else None
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
    """The best entry of one board.

    `tied` maps the entries that are not separated from the leader, best first, to the difference to
    the leader that would have been separated for the entry. `gap` is how far the next entry lies
    behind; it is never negative. `detectable_difference` is the difference to the leader that the
    board would have separated for the median entry. `footnotes` are the leader's.
    """

    key: BoardKey
    metric: Metric
    leader: str
    estimate: Estimate
    tied: Mapping[str, float | None]
    next: str | None
    gap: float | None
    detectable_difference: float | None
    footnotes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes since the version `before`. The first version with results has no `before`.

    `winners` maps a board to the entries of rank 1 before and now, if they differ. `superseded`
    maps an entry to the number of its rows that newer versions replaced.
    """

    before: str | None
    winners: Mapping[BoardKey, tuple[Sequence[str], Sequence[str]]]
    joined: Sequence[str]
    left: Sequence[str]
    superseded: Mapping[str, int]


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard of one benchmark; `boards` are those that it was made from."""

    benchmark: Benchmark
    boards: Mapping[BoardKey, Board]
    winners: Sequence[Winner]
    quality: Sequence[QualityTable]
    times: Sequence[TrainingTimes]
    costs: Sequence[CostTable]
    verdicts: Sequence[FigureVerdict]
    changes: Changes
    machines: Sequence[str]
    latest: date | None = None
    titles: Mapping[str, str] = field(default_factory=dict)

    def updates_text(self, key: BoardKey) -> str:
        """Return the number of updates of a board, if its task has several such numbers."""
        budgets = {steps for of in self.benchmark.tasks[key.task] for steps in of.steps}
        return f"{key.steps:,} updates" if len(budgets) > 1 else ""

    def text_of(self, key: BoardKey) -> str:
        """Return the length of a board, such as "1,024" or "1,024 (366 updates)"."""
        updates = self.updates_text(key)
        return f"{key.length:,} ({updates})" if updates else f"{key.length:,}"


def make_leaderboards(
    benchmarks: Iterable[Benchmark],
    comparisons: Sequence[Comparison],
    boards: Sequence[Board],
    tasks: Mapping[str, Task],
) -> list[Leaderboard]:
    """Return the leaderboard of each ranked benchmark that has results, the main one first."""
    made = [
        make_leaderboard(benchmark, comparisons, boards, tasks)
        for benchmark in benchmarks
        if benchmark.ranked
    ]
    return sorted(
        (leaderboard for leaderboard in made if leaderboard.boards),
        key=lambda one: (one.benchmark.name != MAIN_BENCHMARK, one.benchmark.name),
    )


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
        winners=[winner for key, board in own.items() if (winner := _winner(key, board))],
        quality=quality_tables(benchmark, own),
        times=training_times(comparisons, benchmark.label),
        costs=cost_tables(benchmark, own, tasks, comparisons),
        verdicts=[_verdict(figure, own) for figure in benchmark.expected],
        changes=_changes(benchmark, boards, own, tasks),
        machines=sorted({machine for row in rows for machine in row.machines}),
        latest=max((row.measured_on for row in rows), default=None),
        titles={name: tasks[name].title for name in benchmark.tasks if name in tasks},
    )


def _winner(key: BoardKey, board: Board) -> Winner | None:
    ranked = board.ranked
    estimates = {name: row.estimate for name, row in ranked.items() if row.estimate}
    if not estimates:
        return None
    leader, *others = estimates
    gaps = {name: abs(estimates[name].value - estimates[leader].value) for name in others}
    nearest = min(gaps, key=gaps.__getitem__, default=None)
    return Winner(
        key=key,
        metric=board.metric,
        leader=leader,
        estimate=estimates[leader],
        tied={name: ranked[name].detectable_difference for name in leaders(board)[1:]},
        next=nearest,
        gap=None if nearest is None else gaps[nearest],
        detectable_difference=board.detectable_difference,
        footnotes=ranked[leader].footnotes,
    )


def _changes(
    benchmark: Benchmark,
    boards: Sequence[Board],
    current: Mapping[BoardKey, Board],
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
                key: (leaders(former[key]), leaders(board))
                for key, board in current.items()
                if key in former
            }
            return Changes(
                before=f"{benchmark.name}-{version}",
                winners={key: pair for key, pair in both.items() if set(pair[0]) != set(pair[1])},
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
    there = {winner.key for winner in board.winners}
    missing = [
        f"{board.titles[key.task]} {board.text_of(key)}"
        for key in board_keys(benchmark)
        if key not in there and key.task in board.titles
    ]
    if missing:
        said.append(f"No final runs are ranked yet: {', '.join(missing)}.")
    return " ".join(said)


def summarize(board: Leaderboard) -> dict[str, Any]:
    """Return the winners and the tables of a leaderboard, as values that JSON can hold."""
    return {
        "label": board.benchmark.label,
        "summary": board.benchmark.summary,
        "about_runs": about_runs(board),
        "machines": list(board.machines),
        "latest": str(board.latest or ""),
        "titles": dict(board.titles),
        "winners": [
            {
                **winner.key._asdict(),
                "updates": board.updates_text(winner.key),
                "benchmark": board.benchmark.label_of(winner.key.task),
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
        "quality": [_quality(table, board) for table in board.quality],
        "times": [_times(times) for times in board.times],
        "costs": [_costs(table) for table in board.costs],
    }


def _quality(table: QualityTable, board: Leaderboard) -> dict[str, Any]:
    lengths = list(table.boards)
    return {
        "task": table.task,
        "steps": table.steps,
        "updates": board.updates_text(table.key),
        "metric": table.metric.name,
        "lengths": lengths,
        "decimals": table.decimals,
        "trivial": [table.trivial.get(length) for length in lengths],
        "detectable": [of.detectable_difference for of in table.boards.values()],
        "rows": [
            {
                "entry": entry,
                "places": [_place(rows.get(length)) for length in lengths],
                "gain": _interval(table.gains[entry]) if entry in table.gains else None,
            }
            for entry, rows in table.rows.items()
        ],
    }


def _times(times: TrainingTimes) -> dict[str, Any]:
    progress = (
        times.progress(entry, length) for entry in times.entries for length in times.lengths
    )
    return {
        "task": times.task,
        "metric": times.metric.name,
        "session": str(times.session),
        "lines": [
            {
                "entry": scores[0].entry,
                "length": scores[0].length,
                "seconds": [score.seconds for score in scores],
                "scores": [score.score for score in scores],
                "steps": [score.steps for score in scores],
            }
            for scores in progress
            if scores
        ],
    }


def _costs(table: CostTable) -> dict[str, Any]:
    return {
        "form": str(table.form).replace("_", "-"),
        "rows": [
            {
                "entry": row.entry,
                "parameters": row.mixing_parameters and list(row.mixing_parameters),
                "costs": [table.ratios(row.entry, name) for name in COSTS] if table.costs else [],
                "rates": row.good_range_decades and round(row.good_range_decades, 2),
            }
            for row in table.rows
        ],
        "costs": [cost.title for cost in COSTS.values()] if table.costs else [],
        "lengths": list(LENGTHS),
        "sessions": table.sessions,
        "spread": table.spread,
    }


def _place(row: Row | None) -> dict[str, Any] | None:
    """Return the rank and the score of an entry on a board, or why it has none."""
    if row is None:
        return None
    score = _interval(row.estimate) if row.estimate else None
    return {"rank": row.rank, "score": score, "marks": list(row.footnotes)}


def _interval(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
