"""The core table: one row for each entry that has every cell of a form's tasks."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from suite.analysis.boards import BASELINE, Board, Row
from suite.analysis.comparison_key import grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.cost_ratios import LENGTHS, choose_probes, relative_costs
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Estimate, Figure, wilson_interval
from suite.analysis.final_boards import TaskLength, mean_position, places_of
from suite.analysis.ranking import Scores, example_margin
from suite.analysis.sessions import sessions_text
from suite.api import Form, Task
from suite.records.benchmark_sections import Scale
from suite.records.benchmarks import Benchmark


def normalized(scored: Mapping[TaskLength, tuple[Scores, Scale]]) -> Estimate:
    """Return the mean score over lengths, then over tasks, with its interval.

    The interval adds two errors in quadrature. That of the seeds is the spread of each seed's mean
    score over all places. That of the test examples is one for each task, because tasks are
    independent. Lengths with the same parts of the test split keep their covariance. The margins of
    lengths with other numbers of parts, such as those of a text, add up: they share the examples. A
    margin below one test example of each place gives way to that of Wilson's intervals, as for a
    single place.
    """
    lengths = Counter(task for task, _ in scored)
    weights = {place: 1 / (len(lengths) * lengths[place[0]]) for place in scored}
    seeds = set.intersection(*(set(found.by_seed) for found, _ in scored.values()))
    if not seeds:
        means = {
            place: scale.score(statistics.fmean(found.by_seed.values()))
            for place, (found, scale) in scored.items()
        }
        return Estimate(sum(weights[place] * mean for place, mean in means.items()), None, None, 0)
    by_seed = {
        seed: sum(
            weights[place] * scale.score(found.by_seed[seed])
            for place, (found, scale) in scored.items()
        )
        for seed in sorted(seeds)
    }
    estimate = Scores(by_seed).estimate()
    if estimate.high is None:
        return estimate
    of_examples = [
        _example_margin(
            {place: pair for place, pair in scored.items() if place[0] == task}, weights, by_seed
        )
        for task in lengths
    ]
    margin = math.hypot(estimate.high - estimate.value, *of_examples)
    example, wilson = _sampling_errors(scored, weights)
    if margin < example:
        margin = wilson
    return replace(estimate, low=estimate.value - margin, high=estimate.value + margin)


def _example_margin(
    scored: Mapping[TaskLength, tuple[Scores, Scale]],
    weights: Mapping[TaskLength, float],
    seeds: Collection[int],
) -> float:
    """Return the margin of a mean score that the test examples of one task cause."""
    by_place = {
        place: {
            seed: [
                None if part is None else weights[place] * scale.score(part)
                for part in found.parts.get(seed, ())
            ]
            for seed in seeds
        }
        for place, (found, scale) in scored.items()
    }
    counts = {len(parts) for of_seeds in by_place.values() for parts in of_seeds.values()}
    if len(counts) > 1:
        return sum(map(example_margin, by_place.values()))
    return example_margin(
        {
            seed: [
                None if None in part else math.fsum(part)
                for part in zip(*(of_seeds[seed] for of_seeds in by_place.values()), strict=True)
            ]
            for seed in seeds
        }
    )


def _sampling_errors(
    scored: Mapping[TaskLength, tuple[Scores, Scale]], weights: Mapping[TaskLength, float]
) -> tuple[float, float]:
    """Return how far one example of each share moves a mean score, and the margin by Wilson.

    The lengths of a task share their test examples, so that their margins add up.
    """
    example, margins = 0.0, dict.fromkeys((task for task, _ in scored), 0.0)
    for place, (found, scale) in scored.items():
        if found.share and found.num_examples:
            unit = weights[place] * abs(scale.score(1.0) - scale.score(0.0))
            mean = statistics.fmean(found.by_seed.values())
            low, high = wilson_interval(mean, found.num_examples)
            example += unit / found.num_examples
            margins[place[0]] += unit * (high - low) / 2
    return example, math.hypot(*margins.values())


FORMS = (Form.ENCODER, Form.DECODER, Form.ENCODER_DECODER)
"""The forms in the order of the core tables."""


@dataclass(frozen=True, slots=True)
class CoreRow:
    """An entry that has every cell of a block.

    `score` is the mean over lengths, then over tasks, where 0 is a trivial predictor and 100 the
    reference; None while the benchmark states no reference. `by_task` is the mean of the primary
    metric over lengths. `mixing_parameters` are the smallest and the largest number of weights
    without embedding and head. `good_range_decades` is the mean width of the range of good learning
    rates. `footnotes` are the notes of its rows.
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
    places for which the benchmark file states no trivial score or no reference score of the present
    versions. `costs` are those of the probes of this form, relative to `vanilla`, by entry and
    length; `sessions` names the sessions that measured them, "" without costs. `spread` tells how
    the relative costs vary between these sessions and others on equal machines.
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
    entries: Mapping[TaskLength, Mapping[str, EntryAtLength]],
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
            references = {place: entries.get(place, {}).get(BASELINE) for place in places}
            scales = {
                place: scale
                for place in places
                if (scale := scale_of(benchmark, place, tasks[place[0]], references[place]))
            }
            blocks.append(_block(form, places, scales, boards, entries, probes))
    return blocks


def _block(
    form: Form,
    places: Sequence[TaskLength],
    scales: Mapping[TaskLength, Scale],
    boards: Mapping[TaskLength, Board],
    entries: Mapping[TaskLength, Mapping[str, EntryAtLength]],
    probes: Comparison | None,
) -> Block:
    ranked: dict[str, dict[TaskLength, Row]] = {}
    for place in places:
        for row in boards[place].valid if place in boards else ():
            at = ranked.setdefault(row.entry, {})
            if row.rank is not None:
                at[place] = row
    relative = relative_costs(probes) if probes else {}
    costs = {place: figures for place, figures in relative.items() if figures}
    unscaled = [place for place in places if place not in scales]
    rows = [
        _core_row(name, at, {place: entries[place][name] for place in places}, boards, scales)
        for name, at in ranked.items()
        if len(at) == len(places)
    ]
    return Block(
        form=form,
        tasks=list(dict.fromkeys(task for task, _ in places)),
        rows=sorted(rows, key=lambda row: _best_first(row, [boards[place] for place in places])),
        incomplete={
            name: [place for place in places if place not in at]
            for name, at in sorted(ranked.items())
            if len(at) < len(places)
        },
        unscaled=unscaled,
        costs=costs,
        sessions=_sessions_text(probes) if probes and costs else "",
        spread=_spread_text(costs),
    )


def _sessions_text(probes: Comparison) -> str:
    """Return the sessions that the relative costs come from."""
    entries = [entry for entry in probes.entries if entry.sequence_length in LENGTHS]
    return sessions_text({one.sequence_length: one.session for one in entries if one.session})


def _spread_text(costs: Mapping[tuple[str, int], Mapping[str, Figure]]) -> str:
    """Return how the relative costs vary: the largest deviation of an entry, length and measure."""
    known = [figure for figures in costs.values() for figure in figures.values()]
    deviations = [cost.between_sessions for cost in known if cost.between_sessions is not None]
    count = max((cost.sessions for cost in known), default=0)
    if deviations:
        return f"±{100 * max(deviations):.1f}% between {count} sessions"
    return f"{count} session{'s' if count > 1 else ''}" if count else ""


def _best_first(row: CoreRow, boards: Sequence[Board]) -> tuple[float, float, float]:
    score = -row.score.value if row.score else 0.0
    return score, row.mean_rank, mean_position(row.entry, boards)


def scale_of(
    benchmark: Benchmark, place: TaskLength, task: Task, reference: EntryAtLength | None
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
    name: str,
    ranked: Mapping[TaskLength, Row],
    entries: Mapping[TaskLength, EntryAtLength],
    boards: Mapping[TaskLength, Board],
    scales: Mapping[TaskLength, Scale],
) -> CoreRow:
    by_task = _by_task({place: _value(ranked[place]) for place in entries})
    records = [record for entry in entries.values() for record in entry.good]
    counts = [count for record in records if (count := record.parameter_counts.get("mixing"))]
    ranges = [
        width for record in records if (width := record.ranking.good_range_decades) is not None
    ]
    ranks = {place: row.rank for place, row in ranked.items() if row.rank is not None}
    score = None
    if len(scales) == len(entries):
        scored = {
            place: (entry.scores(boards[place].metric), scales[place])
            for place, entry in entries.items()
        }
        score = normalized(scored)
    return CoreRow(
        entry=name,
        architecture=next(iter(entries.values())).architecture,
        score=score,
        mean_rank=statistics.fmean(_by_task(ranks).values()),
        by_task=by_task,
        mixing_parameters=(min(counts), max(counts)) if counts else None,
        good_range_decades=statistics.fmean(ranges) if ranges else None,
        footnotes=list(dict.fromkeys(mark for row in ranked.values() for mark in row.footnotes)),
    )


def _value(row: Row) -> float:
    assert row.estimate is not None  # a rank needs one
    return row.estimate.value


def _by_task(values: Mapping[TaskLength, float]) -> dict[str, float]:
    """Return the mean over lengths of each task."""
    by_task = grouped(values, lambda place: place[0])
    return {
        task: statistics.fmean(values[place] for place in places)
        for task, places in by_task.items()
    }


def reference_scores(
    boards: Mapping[TaskLength, Board], entries: Mapping[TaskLength, Mapping[str, EntryAtLength]]
) -> dict[str, dict[int, tuple[float, int]]]:
    """Return the score and the version of `vanilla` by task and length, where it is ranked."""
    found: dict[str, dict[int, tuple[float, int]]] = {}
    for (task, length), board in boards.items():
        for row in board.valid:
            if row.entry == BASELINE and row.rank is not None:
                records = entries[task, length][BASELINE].records
                version = records[0].cell.architecture_version
                found.setdefault(task, {})[length] = _value(row), version
    return found
