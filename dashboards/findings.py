"""Findings of the analysis → the lists that the pages read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.scripts import estimate_row, measure_number, shorten
from suite.analysis.boards import Board
from suite.analysis.comparison_key import Kind, baseline_keys
from suite.analysis.comparisons import Comparison
from suite.analysis.cost_ratios import ratios
from suite.analysis.growth import growths
from suite.analysis.pairwise import pair_crossings, pair_differences
from suite.analysis.tradeoffs import (
    interquartile_mean,
    pareto_front,
    performance_profile,
    shares_of_best,
)
from suite.api import Architecture, Mode
from suite.records.measures import CHARTED, metric_of

DRAWN_AGAINST_QUALITY = list(CHARTED)[:2]
PROFILE_SHARES = [round(0.5 + 0.01 * step, 2) for step in range(51)]


def make_findings(
    comparisons: Sequence[Comparison],
    boards: Sequence[Board],
    architectures: Mapping[str, Architecture],
) -> dict[str, Any]:
    """Return growth with length, crossings, pairs, engines, fronts and shares of the best score."""
    shares = comparable_shares(boards)
    probes = [
        (number, comparison)
        for number, comparison in enumerate(comparisons)
        if comparison.key.mode is not Mode.TRAIN
    ]
    return {
        "growth": [row for probe in probes for row in _growth(*probe, architectures)],
        "crossings": [row for probe in probes for row in _crossings(*probe)],
        "pairs": [
            row
            for number, comparison in enumerate(comparisons)
            for row in _pairs(number, comparison)
        ],
        "engines": _engines(probes),
        "fronts": [
            row
            for number, comparison in enumerate(comparisons)
            for row in _fronts(number, comparison)
        ],
        "profile": {
            "shares": PROFILE_SHARES,
            "lines": performance_profile(shares, PROFILE_SHARES),
            "means": {
                line: [interquartile_mean(values), len(values)] for line, values in shares.items()
            },
        },
    }


def comparable_shares(boards: Sequence[Board]) -> dict[str, list[float]]:
    """Return the shares of the best score of the entries that are on the same ranked boards.

    These are the most boards that an entry is on; among several such sets, the set with the most
    entries. Shares over different boards cannot be compared: some boards have weak rivals.
    """
    ranked = [one for one in boards if one.key.kind is Kind.FINAL and not one.key.why_unranked]
    shares: dict[str, dict[int, float]] = {}
    for place, board in enumerate(ranked):
        for line, (share,) in shares_of_best([board]).items():
            shares.setdefault(line, {})[place] = share
    sets = Counter(map(tuple, shares.values()))
    common = max(sets, key=lambda one: (len(one), sets[one]), default=())
    return {line: [*own.values()] for line, own in shares.items() if tuple(own) == common}


def _growth(
    number: int, comparison: Comparison, architectures: Mapping[str, Architecture]
) -> list[Any]:
    return [
        [
            number,
            item.entry,
            item.measure,
            *(estimate_row(item.exponent)[:3] if item.exponent else [None] * 3),
            item.rounds,
            item.shortest,
            item.longest,
            item.claim,
            item.contradicted,
        ]
        for item in growths(comparison, architectures)
        if item.slope is None
    ]


def _crossings(number: int, comparison: Comparison) -> list[Any]:
    return [
        [
            number,
            item.measure,
            item.behind,
            item.ahead,
            [estimate_row(change)[:3] for change in item.changes],
            item.shortest,
            item.longest,
        ]
        for measure in DRAWN_AGAINST_QUALITY
        for item in pair_crossings(
            comparison, measure, higher_is_better=metric_of(measure).higher_is_better
        )
    ]


def _engines(probes: Sequence[tuple[int, Comparison]]) -> list[Any]:
    """Compare probes of several backends or precisions with the baseline on the same machine."""
    by_key = {comparison.key: (number, comparison) for number, comparison in probes}
    baselines = baseline_keys(by_key)
    found = []
    for key, (number, comparison) in by_key.items():
        base, baseline = by_key[baselines[key]]
        if base == number or comparison.measured_on != baseline.measured_on:
            continue
        for item in ratios(comparison, baseline):
            at = [number, base, item.entry, item.sequence_length, item.measure]
            found.append([*at, *estimate_row(item.ratio), shorten(item.hours_apart)])
    return found


def _fronts(number: int, comparison: Comparison) -> list[Any]:
    """Return the Pareto front of quality and each cost that is drawn against quality."""
    found = []
    for place, measure in enumerate(DRAWN_AGAINST_QUALITY):
        better = metric_of(measure).higher_is_better
        front = pareto_front(comparison, measure, higher_cost_is_better=better)
        if front:
            costs = [shorten(one.cost) for one in front]
            found.append([number, place, costs, [shorten(one.quality) for one in front]])
    return found


def _pairs(number: int, comparison: Comparison) -> list[Any]:
    better_if_higher = {measure: metric_of(measure).higher_is_better for measure in CHARTED}
    return [
        [
            number,
            measure_number(item.measure),
            item.sequence_length,
            item.batch_size,
            item.first,
            item.second,
            *estimate_row(item.estimate),
            item.better,
        ]
        for item in pair_differences(comparison, better_if_higher)
    ]
