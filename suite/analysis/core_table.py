"""The core table: one row for each entry that has every cell of a form's tasks."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from suite.analysis.boards import (
    BASELINE,
    Board,
    Row,
    TaskLength,
    mean_position,
    places_of,
    rows_by_entry,
)
from suite.analysis.comparison_key import grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.cost_ratios import LENGTHS, choose_probes, relative_costs
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Estimate, Figure, wilson_interval
from suite.analysis.ranking import Scores, example_margin
from suite.analysis.sessions import sessions_text
from suite.api import Form, Task
from suite.records.benchmark_sections import Scale
from suite.records.benchmarks import Benchmark

Scored = Mapping[TaskLength, tuple[Scores, Scale]]
"""The scores of an entry at each task and length, and what counts there as 0 and 100."""


def normalized(scored: Scored) -> Estimate:
    """Return the mean score over lengths, then over tasks, with its interval.

    The interval adds two errors in quadrature: the spread of each seed's mean score over all
    places, and for each task the error of its test examples. Lengths with the same parts of the
    test split keep their covariance; the margins of other lengths add up. A margin below one test
    example of each place gives way to that of Wilson's intervals.
    """
    lengths = Counter(task for task, _ in scored)
    weights = {place: 1 / (len(lengths) * lengths[place[0]]) for place in scored}
    seeds = sorted(set.intersection(*(set(scores.by_seed) for scores, _ in scored.values())))

    def mean(values: Mapping[TaskLength, float]) -> float:
        return sum(
            weights[place] * scale.score(values[place]) for place, (_, scale) in scored.items()
        )

    if not seeds:
        of_places = {place: scores.by_seed.values() for place, (scores, _) in scored.items()}
        return Estimate(mean({place: statistics.fmean(of) for place, of in of_places.items()}))
    by_seed = {
        seed: mean({place: scores.by_seed[seed] for place, (scores, _) in scored.items()})
        for seed in seeds
    }
    estimate = Scores(by_seed).estimate()
    if estimate.high is None:
        return estimate
    of_examples = [
        _example_margin(
            {place: pair for place, pair in scored.items() if place[0] == task}, weights, seeds
        )
        for task in lengths
    ]
    margin = math.hypot(estimate.high - estimate.value, *of_examples)
    example, wilson = _sampling_errors(scored, weights)
    return Estimate.around(estimate.value, wilson if margin < example else margin, estimate.n)


def _example_margin(
    scored: Scored, weights: Mapping[TaskLength, float], seeds: Sequence[int]
) -> float:
    """Return the margin of a mean score that the test examples of one task cause."""
    by_place = [
        [
            [
                None if part is None else weights[place] * scale.score(part)
                for part in scores.parts.get(seed, ())
            ]
            for seed in seeds
        ]
        for place, (scores, scale) in scored.items()
    ]
    if len({len(parts) for of_seeds in by_place for parts in of_seeds}) > 1:
        return sum(example_margin(of_seeds)[0] for of_seeds in by_place)
    sums = [
        [None if None in part else math.fsum(part) for part in zip(*of_seed, strict=True)]
        for of_seed in zip(*by_place, strict=True)
    ]
    return example_margin(sums)[0]


def _sampling_errors(scored: Scored, weights: Mapping[TaskLength, float]) -> tuple[float, float]:
    """Return how far one example of each share moves a mean score, and the margin by Wilson.

    The lengths of a task share their test examples, so that their margins add up.
    """
    example, margins = 0.0, dict.fromkeys((task for task, _ in scored), 0.0)
    for place, (scores, scale) in scored.items():
        if scores.share and scores.num_examples:
            unit = weights[place] * abs(scale.score(1.0) - scale.score(0.0))
            mean = statistics.fmean(scores.by_seed.values())
            low, high = wilson_interval(mean, scores.num_examples)
            example += unit / scores.num_examples
            margins[place[0]] += unit * (high - low) / 2
    return example, math.hypot(*margins.values())


FORMS = (Form.ENCODER, Form.DECODER, Form.ENCODER_DECODER)
"""The forms in the order of the core tables."""


@dataclass(frozen=True, slots=True)
class CoreRow:
    """An entry that has every cell of a block.

    `score` is the mean over lengths, then over tasks, where 0 is a trivial predictor and 100 the
    reference; None while the benchmark states no reference. `by_task` is the mean of the primary
    metric over lengths. `mixing_parameters` are the least and the most. `good_range_decades` is the
    mean over all records.
    """

    entry: str
    architecture: str
    score: Estimate | None
    mean_rank: float
    by_task: Mapping[str, float]
    mixing_parameters: tuple[int, int] | None
    good_range_decades: float | None
    footnotes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """The core table of one form of model.

    `incomplete` maps each entry without a row to the places that it lacks. `unscaled` are the
    places without a scale of the present versions. `costs` are those of the probes of this form,
    relative to `vanilla`, by entry and length; `sessions` names the sessions that measured them.
    `spread` tells how they vary between these sessions and others on equal machines.
    """

    form: Form
    tasks: Sequence[str]
    rows: Sequence[CoreRow]
    incomplete: Mapping[str, Sequence[TaskLength]]
    unscaled: Sequence[TaskLength]
    costs: Mapping[tuple[str, int], Mapping[str, Figure]]
    sessions: str = ""
    spread: str = ""

    def ratios(self, entry: str, measure: str) -> list[float | None]:
        """Return a cost of an entry relative to `vanilla`, at each of `LENGTHS`."""
        costs = (self.costs.get((entry, length), {}).get(measure) for length in LENGTHS)
        return [cost.value if cost else None for cost in costs]


def make_blocks(
    benchmark: Benchmark,
    boards: Mapping[TaskLength, Board],
    tasks: Mapping[str, Task],
    comparisons: Sequence[Comparison],
) -> list[Block]:
    """Return a block for each form that has results."""
    references = {
        place: row
        for place, board in boards.items()
        for row in board.valid
        if row.entry == BASELINE
    }
    engine = {"precision": benchmark.precision, "backend": benchmark.backend}
    blocks = []
    for form in FORMS:
        places = [
            (name, length)
            for name, length in places_of(benchmark)
            if name in tasks and tasks[name].form is form
        ]
        if any(place in boards for place in places):
            probes = choose_probes(
                comparisons, form=form, model_size=benchmark.model_size[-1], **engine
            )
            scales = {
                place: scale
                for place in places
                if (scale := scale_of(benchmark, place, tasks[place[0]], references.get(place)))
            }
            blocks.append(_block(form, places, scales, boards, probes))
    return blocks


def _block(
    form: Form,
    places: Sequence[TaskLength],
    scales: Mapping[TaskLength, Scale],
    boards: Mapping[TaskLength, Board],
    probes: Comparison | None,
) -> Block:
    known = {place: boards[place] for place in places if place in boards}
    ranked = {
        name: {place: row for place, row in rows.items() if row.rank is not None}
        for name, rows in rows_by_entry(known).items()
    }
    rows = [
        _core_row(name, of_entry, scales)
        for name, of_entry in ranked.items()
        if len(of_entry) == len(places)
    ]

    def best_first(row: CoreRow) -> tuple[float, float, float]:
        score = -row.score.value if row.score else 0.0
        return score, row.mean_rank, mean_position(row.entry, known.values())

    costs = relative_costs(probes) if probes else {}
    return Block(
        form=form,
        tasks=list(dict.fromkeys(task for task, _ in places)),
        rows=sorted(rows, key=best_first),
        incomplete={
            name: [place for place in places if place not in of_entry]
            for name, of_entry in sorted(ranked.items())
            if len(of_entry) < len(places)
        },
        unscaled=[place for place in places if place not in scales],
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


def scale_of(
    benchmark: Benchmark, place: TaskLength, task: Task, reference: EntryAtLength | None
) -> Scale | None:
    """Return the scores that count as 0 and 100; None while one is missing, or if equal.

    They hold for the versions of the task and of the reference that were measured.
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
    name: str, rows: Mapping[TaskLength, Row], scales: Mapping[TaskLength, Scale]
) -> CoreRow:
    records = [record for row in rows.values() for record in row.good]
    counts = [count for record in records if (count := record.parameter_counts.get("mixing"))]
    ranges = [
        width for record in records if (width := record.ranking.good_range_decades) is not None
    ]
    score = None
    if len(scales) == len(rows):
        score = normalized({place: (row.scores(), scales[place]) for place, row in rows.items()})
    return CoreRow(
        entry=name,
        architecture=next(iter(rows.values())).architecture,
        score=score,
        mean_rank=statistics.fmean(_by_task(rows, lambda row: row.rank).values()),
        by_task=_by_task(rows, _value),
        mixing_parameters=(min(counts), max(counts)) if counts else None,
        good_range_decades=statistics.fmean(ranges) if ranges else None,
        footnotes=list(dict.fromkeys(note for row in rows.values() for note in row.footnotes)),
    )


def _value(row: Row) -> float:
    assert row.estimate is not None  # a rank needs one
    return row.estimate.value


def _by_task(
    rows: Mapping[TaskLength, Row], value_of: Callable[[Row], float | None]
) -> dict[str, float]:
    return {
        task: statistics.fmean(value_of(rows[place]) or 0.0 for place in places)
        for task, places in grouped(rows, lambda place: place[0]).items()
    }


def reference_scores(
    boards: Mapping[TaskLength, Board],
) -> dict[str, dict[int, tuple[float, int]]]:
    """Return the score and the version of `vanilla` by task and length, where it is ranked."""
    scores: dict[str, dict[int, tuple[float, int]]] = {}
    for (task, length), board in boards.items():
        if row := board.ranked.get(BASELINE):
            scores.setdefault(task, {})[length] = _value(row), row.cell.architecture_version
    return scores
