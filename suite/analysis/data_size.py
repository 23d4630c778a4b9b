"""Quality against the size of the training data: cells that differ in `train_share` alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from suite.analysis.aggregate import Comparison
from suite.analysis.grouping import ComparisonKey
from suite.analysis.statistics import Estimate
from suite.api import DATA_OPTIONS

OPTION = "train_share"
MIN_SHARES = 3
"""The least number of shares of an entry that make a line."""


@dataclass(frozen=True, slots=True)
class DataSizeScores:
    """The scores of an entry at one length by the share of the training examples.

    `comparison` is that of the largest share, and each score the mean over seeds.
    """

    comparison: Comparison
    entry: str
    sequence_length: int
    by_share: dict[float, Estimate]


def data_size_scores(comparisons: Sequence[Comparison]) -> list[DataSizeScores]:
    """Return the scores of each entry at each length for which enough shares are known."""
    groups: dict[ComparisonKey, list[tuple[float, Comparison]]] = {}
    for comparison in comparisons:
        if comparison.metric is not None:
            share, key = _split(comparison.key)
            groups.setdefault(key, []).append((share, comparison))
    return [
        found
        for group in groups.values()
        if len(group) >= MIN_SHARES
        for found in _scores(sorted(group, key=lambda one: one[0]))
    ]


def _scores(group: Sequence[tuple[float, Comparison]]) -> Iterator[DataSizeScores]:
    by_place: dict[tuple[str, int], dict[float, Estimate]] = {}
    for share, comparison in group:
        for point in comparison.points:
            if score := point.score():
                place = point.entry, point.sequence_length
                by_place.setdefault(place, {})[share] = score.estimate
    for (entry, length), by_share in by_place.items():
        if len(by_share) >= MIN_SHARES:
            yield DataSizeScores(group[-1][1], entry, length, by_share)


def _split(key: ComparisonKey) -> tuple[float, ComparisonKey]:
    """Return the share of a comparison, and its key without the share."""
    options = key.task_options.split()
    shares = [text.partition("=")[2] for text in options if text.startswith(f"{OPTION}=")]
    others = " ".join(text for text in options if not text.startswith(f"{OPTION}="))
    share = float(shares[0]) if shares else float(DATA_OPTIONS[OPTION])
    return share, replace(key, task_options=others)
