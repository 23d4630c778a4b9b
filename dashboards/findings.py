"""Records → what takes comparing: growth, crossings, pairs, backends, shares of the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any

from dashboards.frame import MEASURES, Comparison
from dashboards.scripts import QUALITY_NUMBER, shorten
from suite.analysis.boards import Board, Entry, figure, line_of, scores
from suite.analysis.grouping import baselines
from suite.analysis.ranking import Scores, difference, interquartile_mean, performance_profile
from suite.analysis.search import find_crossing, pair_up
from suite.analysis.statistics import Estimate, exponential
from suite.analysis.tables import exponents, ratios
from suite.api import Architecture, Metric, Mode, Status, Task

PROFILE_SHARES = [round(0.5 + 0.01 * step, 2) for step in range(51)]


def make_findings(
    made: Sequence[Comparison],
    boards: Sequence[Board],
    tasks: Mapping[str, Task],
    architectures: Mapping[str, Architecture],
) -> dict[str, Any]:
    """Work out what takes comparing: growth, crossings, pairs, and shares of the best."""
    growth, crossings, pairs = [], [], []
    for number, comparison in enumerate(made):
        if comparison.setting.mode is Mode.PROBE:
            good = [entry for entry in comparison.entries if entry.record.status is Status.OK]
            growth += _growth(number, good, tasks, architectures)
            crossings += _crossings(number, good, tasks)
        pairs += _pairs(number, comparison, tasks)
    shares = shares_of_best(boards)
    return {
        "growth": growth,
        "crossings": crossings,
        "pairs": pairs,
        "ways": _ways(made, tasks),
        "profile": {
            "shares": PROFILE_SHARES,
            "lines": performance_profile(shares, PROFILE_SHARES),
            "means": {
                line: [interquartile_mean(values), len(values)] for line, values in shares.items()
            },
        },
    }


def _growth(
    number: int,
    entries: Sequence[Entry],
    tasks: Mapping[str, Task],
    architectures: Mapping[str, Architecture],
) -> list[Any]:
    """Estimate for each line how its cost grows with length."""
    return [
        [number, line, item.measure, shorten(item.exponent), shorten(item.low), shorten(item.high),
         item.rounds, min(item.lengths), max(item.lengths), item.claim, item.contradicted]
        for line, of_line in sorted(_by_line(entries, tasks).items())
        for item in exponents([entry.record for entry in of_line], tasks, architectures)
    ]  # fmt: skip


def _crossings(number: int, entries: Sequence[Entry], tasks: Mapping[str, Task]) -> list[Any]:
    """Find for each pair where one overtakes the other, between the lengths that were measured."""
    found = []
    for measure in (MEASURES[0], MEASURES[1]):
        sign = 1 if measure.higher_is_better else -1
        values: dict[str, dict[int, dict[int, float]]] = {}
        for entry in entries:
            cell = entry.record.cell
            if value := figure(entry.record, measure.key):
                of_line = values.setdefault(line_of(entry, tasks), {})
                of_line.setdefault(cell.sequence_length, {})[cell.round] = sign * math.log(value)
        for first, second in combinations(sorted(values), 2):
            known = pair_up(values[first], values[second])
            if len(known) < 2:
                continue
            behind, ahead = first, second
            if median(known[min(known)]) > 0:  # does the first overtake the second?
                behind, ahead = second, first
                known = {length: [-value for value in known[length]] for length in known}
            at = find_crossing(known.__getitem__, list(known), (behind, ahead), halves=False).length
            ends = [at.value, at.low, at.high] if at else [None, None, None]
            where = [shorten(end) for end in ends]
            found.append([number, measure.key, behind, ahead, *where, min(known), max(known)])
    return found


def _ways(made: Sequence[Comparison], tasks: Mapping[str, Task]) -> list[Any]:
    """Compare what was probed on several backends or in several precisions, with the first."""
    probes = {
        comparison.setting: (number, comparison)
        for number, comparison in enumerate(made)
        if comparison.setting.mode is Mode.PROBE
    }
    measured_by = baselines(probes)
    found = []
    for setting, (number, comparison) in probes.items():
        base, baseline = probes[measured_by[setting]]
        if base == number or comparison.measured_on != baseline.measured_on:
            continue
        theirs = _by_line(baseline.entries, tasks)
        for line, entries in sorted(_by_line(comparison.entries, tasks).items()):
            quiet = comparison.quiet_records(entries)
            for item in ratios(quiet, baseline.quiet_records(theirs.get(line, ())), tasks):
                ends = [shorten(item.value), shorten(item.low), shorten(item.high)]
                at = [number, base, line, item.sequence_length, item.measure]
                found.append([*at, *ends, item.rounds, shorten(item.hours_apart)])
    return found


def _by_line(entries: Iterable[Entry], tasks: Mapping[str, Task]) -> dict[str, list[Entry]]:
    by_line: dict[str, list[Entry]] = {}
    for entry in entries:
        by_line.setdefault(line_of(entry, tasks), []).append(entry)
    return by_line


def _pairs(number: int, comparison: Comparison, tasks: Mapping[str, Task]) -> list[Any]:
    """Compare every two lines at each length: quality by its difference, a cost by its ratio.

    Quality is compared on the seeds and test examples that both have, a cost on the seeds (of
    probes: rounds) that both have.
    """
    points: dict[tuple[int, int], dict[str, list[Entry]]] = {}
    for entry in comparison.entries:
        cell = entry.record.cell
        at = points.setdefault((cell.sequence_length, cell.batch_size), {})
        at.setdefault(line_of(entry, tasks), []).append(entry)
    found = []
    for point, lines in sorted(points.items()):
        known: dict[int, dict[str, Scores]] = {}
        for name, entries in sorted(lines.items()):
            for measure, of_line in _scores(comparison, entries):
                if of_line.by_seed:
                    known.setdefault(measure, {})[name] = of_line
        for measure, of_measure in known.items():
            for first, second in combinations(of_measure, 2):
                gap = difference(of_measure[first], of_measure[second])
                told = Estimate(gap.value, gap.low, gap.high, gap.n)
                told = told if measure == QUALITY_NUMBER else exponential(told)
                ends = [shorten(told.value), shorten(told.low), shorten(told.high)]
                found.append([number, measure, *point, first, second, *ends, told.n])
    return found


def _scores(comparison: Comparison, entries: Sequence[Entry]) -> Iterator[tuple[int, Scores]]:
    """Yield what a line's records at one length have of each measure, of costs the logarithms."""
    if comparison.metric:
        yield QUALITY_NUMBER, scores((entry.record for entry in entries), comparison.metric)
    records = comparison.cost_records(entries)
    for place, measure in enumerate(MEASURES):
        yield place, scores(records, Metric(measure.key))


def shares_of_best(boards: Sequence[Board]) -> dict[str, list[float]]:
    """Return by line its score as a share of the best of each board of quality.

    Where less is better, as of bits, it is the best's as a share of the score. A line counts
    where it ran, so that lines of few boards are compared with others' same boards only by who
    looks at n.
    """
    shares: dict[str, list[float]] = {}
    for board in boards:
        values = {row.line: row.estimate.value for row in board.rows
                  if row.estimate and not row.superseded_by}  # fmt: skip
        higher = board.metric.higher_is_better
        best = (max if higher else min)(values.values(), default=0)
        if board.setting.mode is not Mode.TRAIN or len(values) < 2 or best <= 0:
            continue
        for line, value in values.items():
            shares.setdefault(line, []).append(value / best if higher else best / value)
    return shares
