"""Scores from 0 (a trivial predictor) to 100 (the reference), and their mean over a block."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from suite.analysis.final_boards import TaskLength
from suite.analysis.ranking import Parts, Scores
from suite.analysis.statistics import Estimate
from suite.matrix.benchmarks import Scale


def normalized(scored: Mapping[TaskLength, tuple[Scores, Scale]]) -> Estimate:
    """Return the mean score over lengths, then over tasks, with its interval.

    Each seed has a mean score over all places, and so has each part of the test splits. The
    interval is that of these means (`suite.analysis.ranking`): the variances of independent places
    add up in the mean, and lengths that share test examples keep their covariance. Without equal
    numbers of parts at all places the interval covers the seeds alone.
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
    return Scores(by_seed, parts).estimate()


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
