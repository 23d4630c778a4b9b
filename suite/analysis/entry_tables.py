"""Boards → the tables of a leaderboard, with a row for each entry: quality, and sizes and costs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from suite.analysis.boards import (
    Board,
    BoardKey,
    Place,
    Row,
    mean_position,
    rows_by_entry,
    scores_of,
)
from suite.analysis.comparison_key import grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.cost_ratios import LENGTHS, choose_probes, relative_costs
from suite.analysis.estimates import Estimate, Figure
from suite.analysis.ranking import difference
from suite.analysis.sessions import sessions_text
from suite.api import Form, Metric, Task
from suite.records.benchmarks import Benchmark
from suite.records.measures import score_decimals


@dataclass(frozen=True, slots=True)
class QualityTable:
    """All entries of a task with one number of updates, with the board of each length.

    `trivial` is the score of a trivial predictor by length, where it is known. `rows` maps each
    entry to its rows by length; the entries with the most ranks come first. `gains` has the score
    at the longest length less that at the shortest, paired by seed: it is positive where the
    longest is better. If examples are scored, it is paired by part of the test split too. If
    positions are, a part holds other targets at each length, and the interval covers seeds alone.
    A table with one length has no gains.
    """

    task: str
    steps: int
    metric: Metric
    boards: Mapping[int, Board]
    trivial: Mapping[int, float]
    rows: Mapping[str, Mapping[int, Row]]
    gains: Mapping[str, Estimate]

    @property
    def key(self) -> BoardKey:
        """The key of the board of the longest length."""
        return BoardKey(self.task, max(self.boards), self.steps)

    @property
    def decimals(self) -> int:
        """The decimals that all scores of the table share."""
        return score_decimals(scores_of(self.boards.values()))


@dataclass(frozen=True, slots=True)
class CostRow:
    """The sizes of an entry: the least and the most mixing parameters.

    `good_range_decades` is the mean over all records.
    """

    entry: str
    architecture: str
    mixing_parameters: tuple[int, int] | None
    good_range_decades: float | None


@dataclass(frozen=True, slots=True)
class CostTable:
    """The sizes and the costs of all entries of one form of model, those with the most ranks first.

    `costs` are those of the probes of this form, relative to `vanilla`, by entry and length;
    `sessions` names the sessions that measured them. `spread` tells how they vary between these
    sessions and others on equal machines.
    """

    form: Form
    rows: Sequence[CostRow]
    costs: Mapping[tuple[str, int], Mapping[str, Figure]]
    sessions: str = ""
    spread: str = ""

    def ratios(self, entry: str, measure: str) -> list[float | None]:
        """Return a cost of an entry relative to `vanilla`, at each of `LENGTHS`."""
        costs = (self.costs.get((entry, length), {}).get(measure) for length in LENGTHS)
        return [cost.value if cost else None for cost in costs]


def quality_tables(benchmark: Benchmark, boards: Mapping[BoardKey, Board]) -> list[QualityTable]:
    """Return a table for each task and number of updates that has results."""
    return [
        _quality_table(benchmark, task, steps, {key.length: boards[key] for key in keys})
        for (task, steps), keys in grouped(boards, lambda key: (key.task, key.steps)).items()
    ]


def _quality_table(
    benchmark: Benchmark, task: str, steps: int, boards: Mapping[int, Board]
) -> QualityTable:
    rows = _most_ranked(boards)
    stated = {length: benchmark.trivial_score(task, length) for length in boards}
    short, long = min(boards), max(boards)
    return QualityTable(
        task=task,
        steps=steps,
        metric=boards[long].metric,
        boards=boards,
        trivial={length: score for length, score in stated.items() if score is not None},
        rows=rows,
        gains={
            entry: _gain(of_entry[short], of_entry[long], boards[long].metric)
            for entry, of_entry in rows.items()
            if short < long and _is_scored(of_entry.get(short)) and _is_scored(of_entry.get(long))
        },
    )


def _most_ranked(boards: Mapping[Place, Board]) -> dict[str, dict[Place, Row]]:
    """Return the rows by entry; the entries with the most ranks come first, and then the best."""
    by_entry = rows_by_entry(boards)

    def order(entry: str) -> tuple[int, float]:
        num_ranks = sum(row.rank is not None for row in by_entry[entry].values())
        return -num_ranks, mean_position(entry, boards.values())

    return {entry: by_entry[entry] for entry in sorted(by_entry, key=order)}


def _is_scored(row: Row | None) -> bool:
    return row is not None and bool(row.scores().by_seed)


def _gain(short: Row, long: Row, metric: Metric) -> Estimate:
    better, other = (long, short) if metric.higher_is_better else (short, long)
    scores = [row.scores() for row in (better, other)]
    if short.good[0].ranking.scored_unit == "positions":
        scores = [replace(one, parts={}) for one in scores]
    return difference(*scores)


def cost_tables(
    benchmark: Benchmark,
    boards: Mapping[BoardKey, Board],
    tasks: Mapping[str, Task],
    comparisons: Sequence[Comparison],
) -> list[CostTable]:
    """Return a table for each form of model that has results."""
    engine = {"precision": benchmark.precision, "backend": benchmark.backend}
    by_form = grouped(boards, lambda key: tasks[key.task].form)
    tables = []
    for form in (form for form in Form if form in by_form):
        ranked = _most_ranked({key: boards[key] for key in by_form[form]})
        size = benchmark.model_size[-1]
        probes = choose_probes(comparisons, ranked, form=form, model_size=size, **engine)
        tables.append(_cost_table(form, ranked, probes))
    return tables


def _cost_table(
    form: Form, ranked: Mapping[str, Mapping[Place, Row]], probes: Comparison | None
) -> CostTable:
    costs = relative_costs(probes) if probes else {}
    return CostTable(
        form=form,
        rows=[_cost_row(entry, list(rows.values())) for entry, rows in ranked.items()],
        costs=costs,
        sessions=sessions_text(
            (entry.sequence_length, entry.session)
            for entry in (probes.entries if probes and costs else ())
            if entry.sequence_length in LENGTHS
        ),
        spread=_spread_text(costs),
    )


def _spread_text(costs: Mapping[tuple[str, int], Mapping[str, Figure]]) -> str:
    """Return how the relative costs vary: the largest deviation of an entry, length and measure."""
    known = [figure for figures in costs.values() for figure in figures.values()]
    deviations = [cost.between_sessions for cost in known if cost.between_sessions is not None]
    count = max((cost.sessions for cost in known), default=0)
    if deviations:
        return f"±{100 * max(deviations):.1f}% between {count} sessions"
    return f"{count} session{'s' if count > 1 else ''}" if count else ""


def _cost_row(entry: str, rows: Sequence[Row]) -> CostRow:
    records = [record for row in rows for record in row.good]
    counts = [count for record in records if (count := record.parameter_counts.get("mixing"))]
    ranges = [
        width for record in records if (width := record.ranking.good_range_decades) is not None
    ]
    return CostRow(
        entry=entry,
        architecture=rows[0].architecture,
        mixing_parameters=(min(counts), max(counts)) if counts else None,
        good_range_decades=statistics.fmean(ranges) if ranges else None,
    )
