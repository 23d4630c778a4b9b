"""The core table: one row for each entry that has every cell of a form's tasks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from suite.analysis.aggregate import Comparison, Point
from suite.analysis.boards import BASELINE, Board, Row
from suite.analysis.eligibility import NOT_REPRODUCED, RANKED_AS
from suite.analysis.final_boards import TaskLength, marks_of, mean_position, places_of, standing
from suite.analysis.relative import LENGTHS, RelativeCosts, choose_probes, relative_costs
from suite.analysis.scores import normalized
from suite.analysis.sessions import Spread, sessions_text
from suite.analysis.statistics import Estimate
from suite.api import Form, Task
from suite.matrix.benchmark_sections import Scale
from suite.matrix.benchmarks import Benchmark

FORMS = (Form.ENCODER, Form.DECODER, Form.ENCODER_DECODER)
"""The forms in the order of the core tables."""


@dataclass(frozen=True, slots=True)
class CoreRow:
    """An entry that has every cell of a block.

    `score` is the mean over lengths, then over tasks, where 0 is a trivial predictor and 100 the
    reference; None while the benchmark states no reference. `by_task` is the mean of the primary
    metric over lengths. `mixing_parameters` are the smallest and the largest number of weights
    without embedding and head. `good_range_decades` is the mean width of the range of good learning
    rates. A self-reported entry has no mean rank. `marks` are its tier, unless the entry was
    measured here, and the notes of its rows.
    """

    line: str
    architecture: str
    score: Estimate | None
    mean_rank: float | None
    by_task: Mapping[str, float]
    mixing_parameters: tuple[int, int] | None
    good_range_decades: float | None
    marks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """The core table of one form of model.

    `incomplete` maps each entry without a row to the places that it lacks. `unscaled` are the
    places for which the benchmark file states no trivial score or no reference score of the present
    versions. `costs` are those of the probes of this form, relative to `vanilla`, by entry and
    length; `sessions` names the sessions that measured them, "" without costs. `spread` tells how
    the relative costs vary between these sessions and others on equal machines: the largest
    deviation of an entry, length and measure; None without costs.
    """

    form: Form
    tasks: Sequence[str]
    rows: Sequence[CoreRow]
    incomplete: Mapping[str, Sequence[TaskLength]]
    unscaled: Sequence[TaskLength]
    costs: Mapping[str, Mapping[int, RelativeCosts]]
    sessions: str = ""
    spread: Spread | None = None

    def ratios(self, line: str, measure: str) -> list[float | None]:
        """Return a cost of an entry relative to `vanilla`, at each of `LENGTHS`."""
        of_entry = self.costs.get(line, {})
        costs = [of_entry[at].costs.get(measure) if at in of_entry else None for at in LENGTHS]
        return [cost.ratio.value if cost else None for cost in costs]


def make_blocks(
    benchmark: Benchmark,
    boards: Mapping[TaskLength, Board],
    points: Mapping[TaskLength, Mapping[str, Point]],
    tasks: Mapping[str, Task],
    comparisons: Sequence[Comparison],
) -> list[Block]:
    """Return a block for each form that has results."""
    known = [place for place in places_of(benchmark) if place[0] in tasks]
    blocks = []
    for form in FORMS:
        places = [place for place in known if tasks[place[0]].form is form]
        if any(place in boards for place in places):
            probes = choose_probes(
                comparisons,
                form=form,
                model_size=benchmark.model_size[-1],
                precision=benchmark.precision,
                backend=benchmark.backend,
            )
            references = {place: points.get(place, {}).get(BASELINE) for place in places}
            scales = {
                place: scale
                for place in places
                if (scale := scale_of(benchmark, place, tasks[place[0]], references[place]))
            }
            blocks.append(_block(form, places, scales, boards, points, probes))
    return blocks


def _block(
    form: Form,
    places: Sequence[TaskLength],
    scales: Mapping[TaskLength, Scale],
    boards: Mapping[TaskLength, Board],
    points: Mapping[TaskLength, Mapping[str, Point]],
    probes: Comparison | None,
) -> Block:
    ranked: dict[str, dict[TaskLength, Row]] = {}
    for place in places:
        for row in standing(boards[place]) if place in boards else ():
            if not row.note.startswith(RANKED_AS):
                at = ranked.setdefault(row.line, {})
                if _counts(row):
                    at[place] = row
    costs = _costs(probes) if probes else {}
    unscaled = [place for place in places if place not in scales]
    rows = [
        _core_row(line, at, {place: points[place][line] for place in places}, boards, scales)
        for line, at in ranked.items()
        if len(at) == len(places)
    ]
    return Block(
        form=form,
        tasks=list(dict.fromkeys(task for task, _ in places)),
        rows=sorted(rows, key=lambda row: _best_first(row, [boards[place] for place in places])),
        incomplete={
            line: [place for place in places if place not in at]
            for line, at in sorted(ranked.items())
            if len(at) < len(places)
        },
        unscaled=unscaled,
        costs=costs,
        sessions=_sessions_text(probes) if probes and costs else "",
        spread=_spread(costs) if costs else None,
    )


def _counts(row: Row) -> bool:
    """Return whether a row counts for the core table: it has a rank, or only lacks verification."""
    estimate = row.estimate
    has_interval = estimate is not None and estimate.low is not None
    return row.rank is not None or (row.note.startswith(NOT_REPRODUCED) and has_interval)


def _costs(probes: Comparison) -> dict[str, dict[int, RelativeCosts]]:
    """Return the relative costs of probes, by entry and length."""
    found: dict[str, dict[int, RelativeCosts]] = {}
    for costs in relative_costs(probes):
        if any(costs.costs.values()):
            found.setdefault(costs.entry, {})[costs.sequence_length] = costs
    return found


def _sessions_text(probes: Comparison) -> str:
    """Return the sessions that the relative costs come from."""
    points = [point for point in probes.points if point.sequence_length in LENGTHS]
    return sessions_text({one.sequence_length: one.session for one in points if one.session})


def _spread(costs: Mapping[str, Mapping[int, RelativeCosts]]) -> Spread:
    """Return the number of sessions behind the relative costs, and their largest deviation."""
    known = [
        cost
        for of_entry in costs.values()
        for at in of_entry.values()
        for cost in at.costs.values()
        if cost
    ]
    deviations = [cost.between_sessions for cost in known if cost.between_sessions is not None]
    return Spread(max(cost.sessions for cost in known), max(deviations, default=None))


def _best_first(row: CoreRow, boards: Sequence[Board]) -> tuple[float, float, float]:
    score = -row.score.value if row.score else 0.0
    rank = math.inf if row.mean_rank is None else row.mean_rank
    return score, rank, mean_position(row.line, boards)


def scale_of(
    benchmark: Benchmark, place: TaskLength, task: Task, reference: Point | None
) -> Scale | None:
    """Return the scores that count as 0 and 100; None while one is missing, or if equal.

    The scores hold for the versions of the task and of the reference that were measured. Other
    versions have no scale.
    """
    stated = benchmark.scale.get(place[0], {}).get(str(place[1]))
    if stated is None or not stated.is_complete:
        return None
    if not stated.holds_for(task.version, benchmark.version_of(place[0])):
        return None
    if reference and reference.records[0].cell.architecture_version != stated.vanilla_version:
        return None
    return stated


def _core_row(
    line: str,
    ranked: Mapping[TaskLength, Row],
    points: Mapping[TaskLength, Point],
    boards: Mapping[TaskLength, Board],
    scales: Mapping[TaskLength, Scale],
) -> CoreRow:
    by_task = _by_task(points, lambda place: _value(ranked[place]))
    records = [record for point in points.values() for record in point.good]
    counts = [count for record in records if (count := record.parameter_counts.get("mixing"))]
    ranges = [
        width for record in records if (width := record.ranking.good_range_decades) is not None
    ]
    score = None
    if len(scales) == len(points):
        scored = {
            place: (point.scores(boards[place].metric), scales[place])
            for place, point in points.items()
        }
        score = normalized(scored)
    return CoreRow(
        line=line,
        architecture=next(iter(points.values())).architecture,
        score=score,
        mean_rank=_mean_rank(ranked),
        by_task=by_task,
        mixing_parameters=(min(counts), max(counts)) if counts else None,
        good_range_decades=statistics.fmean(ranges) if ranges else None,
        marks=list(dict.fromkeys(mark for row in ranked.values() for mark in marks_of(row))),
    )


def _mean_rank(ranked: Mapping[TaskLength, Row]) -> float | None:
    """Return the mean rank over the lengths of each task, then over tasks, as the score has it."""
    ranks = {place: row.rank for place, row in ranked.items() if row.rank is not None}
    if len(ranks) < len(ranked):
        return None
    return statistics.fmean(_by_task(ranks, ranks.__getitem__).values())


def _value(row: Row) -> float:
    assert row.estimate is not None  # a rank needs one
    return row.estimate.value


def _by_task(
    places: Iterable[TaskLength], value: Callable[[TaskLength], float]
) -> dict[str, float]:
    """Return the mean over lengths of each task."""
    found: dict[str, list[float]] = {}
    for place in places:
        found.setdefault(place[0], []).append(value(place))
    return {task: statistics.fmean(values) for task, values in found.items()}


def reference_scores(
    boards: Mapping[TaskLength, Board], points: Mapping[TaskLength, Mapping[str, Point]]
) -> dict[str, dict[int, tuple[float, int]]]:
    """Return the score and the version of `vanilla` by task and length, where it is ranked."""
    found: dict[str, dict[int, tuple[float, int]]] = {}
    for (task, length), board in boards.items():
        for row in standing(board):
            if row.line == BASELINE and row.rank is not None:
                (version,) = {
                    record.cell.architecture_version
                    for record in points[task, length][row.line].records
                }
                found.setdefault(task, {})[length] = _value(row), version
    return found
