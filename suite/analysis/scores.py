"""Scores from 0 (a trivial predictor) to 100 (the reference), and their mean over a block."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping
from dataclasses import replace

from suite.analysis.final_boards import TaskLength
from suite.analysis.ranking import Scores, example_margin
from suite.analysis.statistics import Estimate, wilson_interval
from suite.records.benchmark_sections import Scale


def normalized(scored: Mapping[TaskLength, tuple[Scores, Scale]]) -> Estimate:
    """Return the mean score over lengths, then over tasks, with its interval.

    The interval adds two errors in quadrature. That of the seeds is the spread of each seed's mean
    score over all places. That of the test examples is one for each task, because tasks are
    independent. Lengths with the same parts of the test split keep their covariance. The margins of
    lengths with other numbers of parts, such as those of a text, add up: they share the examples. A
    margin below one test example of each place gives way to that of Wilson's intervals, as for a
    single place.
    """
    lengths: dict[str, int] = {}
    for task, _ in scored:
        lengths[task] = lengths.get(task, 0) + 1
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
