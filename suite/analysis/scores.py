"""Scores from 0 (a trivial predictor) to 100 (the reference), and their mean over a block."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import replace

from suite.analysis.final_boards import TaskLength
from suite.analysis.ranking import Parts, Scores
from suite.analysis.statistics import Estimate, wilson_interval
from suite.matrix.benchmark_sections import Scale


def normalized(scored: Mapping[TaskLength, tuple[Scores, Scale]]) -> Estimate:
    """Return the mean score over lengths, then over tasks, with its interval.

    Each seed has a mean score over all places, and so has each part of the test splits. The
    interval is that of these means (`suite.analysis.ranking`): the variances of independent places
    add up in the mean, and lengths that share test examples keep their covariance. Without equal
    numbers of parts at all places the interval covers the seeds alone. A margin below one test
    example of each place gives way to that of Wilson's intervals, as for a single place.
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
    parts = {seed: _mean_parts(scored, weights, seed) for seed in by_seed}
    estimate = Scores(by_seed, parts).estimate()
    example, wilson = _sampling_errors(scored, weights)
    if estimate.high is None or estimate.high - estimate.value >= example:
        return estimate
    return replace(estimate, low=estimate.value - wilson, high=estimate.value + wilson)


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


def _mean_parts(
    scored: Mapping[TaskLength, tuple[Scores, Scale]],
    weights: Mapping[TaskLength, float],
    seed: int,
) -> Parts:
    """Return the mean score of each part; none where the places have different numbers of parts."""
    values = {place: found.parts.get(seed, ()) for place, (found, _) in scored.items()}
    counts = {len(parts) for parts in values.values()}
    if len(counts) != 1:
        return ()
    means: list[float | None] = []
    for number in range(counts.pop()):
        at = {place: parts[number] for place, parts in values.items()}
        known = {place: value for place, value in at.items() if value is not None}
        if len(known) < len(at):
            means.append(None)
        else:
            means.append(
                sum(
                    weights[place] * scored[place][1].score(value) for place, value in known.items()
                )
            )
    return means
