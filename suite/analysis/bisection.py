"""Searches along the sequence length: length limits and crossover points.

The functions are pure: the caller passes a function that measures one length.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from suite.analysis.estimates import Estimate, exponential, mean_interval

TOLERANCE = 1.05
"""A search ends when the ratio of its two ends is at most this."""
NEARBY = 2.0
"""Lengths within this factor of a crossing determine its estimate."""


MOST_BISECTIONS = 5
"""The most lengths between two of which one is the double of the other, until they are close."""


@dataclass(frozen=True, slots=True)
class Change:
    """A length at which one of two overtakes the other: from there on it is ahead."""

    length: Estimate
    ahead: str


@dataclass(frozen=True, slots=True)
class Crossing:
    """Each length at which one of two overtakes the other, searched up to `searched_to`.

    If one of them is behind at no length, `always` names it and there are no changes. Both are
    equal at the lengths `equal_at`. There is no `always` if they are equal at each length.
    """

    changes: Sequence[Change]
    searched_to: int
    always: str | None = None
    equal_at: Sequence[int] = ()

    @property
    def length(self) -> Estimate | None:
        """The length from which on one stays ahead; None without a change or with several."""
        return self.changes[0].length if len(self.changes) == 1 else None


def doubled(shortest: int, longest: int) -> list[int]:
    """Return the lengths from the shortest on, each the double of the one before."""
    return [shortest << exponent for exponent in range((longest // shortest).bit_length())]


def find_frontier(
    fits: Callable[[int], bool], shortest: int, longest: int
) -> tuple[int | None, int | None]:
    """Return the longest length that fits, and the shortest length found that does not fit.

    The first is None if not even `shortest` fits. The second is None if the search reached its own
    end: longer sequences may fit as well. Lengths double from `shortest`, then a bisection follows.
    `fits` must be monotonic: once false, it stays false at longer lengths. The search measures the
    lengths of `doubled`, and at most `MOST_BISECTIONS` others.
    """
    fitting, beyond = None, None
    for length in doubled(shortest, longest):
        if not fits(length):
            beyond = length
            break
        fitting = length
    while fitting and beyond and (middle := between(fitting, beyond)) is not None:
        if fits(middle):
            fitting = middle
        else:
            beyond = middle
    return fitting, beyond


def find_crossing(
    advantage: Callable[[int], Mapping[int, float]],
    lengths: Sequence[int],
    names: tuple[str, str],
    *,
    halves: bool = True,
    center: Callable[[Iterable[float]], float] = statistics.median,
) -> Crossing:
    """Find all lengths at which one of `names` overtakes the other.

    `advantage` returns, for a length, the lead of the second by repeat (round or seed). All
    `lengths` are measured, so that curves that cross back are noticed. The search bisects each
    interval in which the sign of the `center` of the repeats changes. With `halves` false, it
    interpolates the crossing. The interval of an estimate comes from the crossings of the repeats.
    """
    known: dict[int, Mapping[int, float]] = {}

    def lead(length: int) -> float:
        known[length] = advantage(length)
        return center(known[length].values())

    centers = {length: lead(length) for length in lengths}
    leads = [(length, value > 0) for length, value in centers.items() if value]
    changes = []
    for (low, before), (high, after) in pairwise(leads):
        if before == after:
            continue
        while halves and (middle := between(low, high)) is not None:
            if (lead(middle) > 0) == after:
                high = middle
            else:
                low = middle
        locate = _locate_crossing if halves else _interpolate_crossing
        estimate = locate(known, low, high, after)
        changes.append(Change(estimate, names[after]))
    always = names[leads[0][1]] if leads and not changes else None
    equal_at = [length for length, value in centers.items() if not value]
    return Crossing(changes, lengths[-1], always, equal_at)


def pair_up(
    first: Mapping[int, Mapping[int, float]],
    second: Mapping[int, Mapping[int, float]],
) -> dict[int, dict[int, float]]:
    """Return by length the lead of the second in each repeat (round or seed) that both have.

    Both mappings hold figures, of which more is better, by length and repeat. A length without a
    common repeat is left out.
    """
    return {
        length: {
            repeat: second[length][repeat] - first[length][repeat]
            for repeat in sorted(first[length].keys() & second[length].keys())
        }
        for length in sorted(first.keys() & second.keys())
        if first[length].keys() & second[length].keys()
    }


def _locate_crossing(
    known: Mapping[int, Mapping[int, float]], low: int, high: int, rising: bool
) -> Estimate:
    """Estimate the length between `low` and `high` where the advantage is 0, and its interval.

    For each repeat a regression line of the advantage over the logarithm of the length, through the
    nearby lengths, gives a crossing. The estimate is clipped to the bracket.
    """
    curves = _by_repeat(
        {
            length: values
            for length, values in known.items()
            if low / NEARBY <= length <= high * NEARBY
        }
    )
    roots = []
    for curve in curves:
        line = statistics.linear_regression(*zip(*curve, strict=True))
        if line.slope > 0 if rising else line.slope < 0:
            roots.append(-line.intercept / line.slope)
    if len(roots) < len(curves) or not roots:
        return Estimate(math.sqrt(low * high), n=len(curves))
    estimate = exponential(mean_interval(roots))
    value = min(max(estimate.value, float(low)), float(high))
    if estimate.ends is None:
        return Estimate(value, n=len(curves))
    # The interval contains the clipped estimate.
    return Estimate(value, min(estimate.ends[0], value), max(estimate.ends[1], value), len(curves))


def _interpolate_crossing(
    known: Mapping[int, Mapping[int, float]], low: int, high: int, rising: bool
) -> Estimate:
    """Estimate where the advantage is 0, from lengths that are far apart.

    The curve between three such lengths is no line. Each repeat therefore crosses between two
    neighbours of its own lengths; of several crossings the one nearest to `low` and `high` counts.
    There is no interval if a repeat does not cross.
    """
    middle = math.log(low * high) / 2
    curves = _by_repeat(known)
    roots = []
    for curve in curves:
        crossed = [
            (x * after - beyond * value) / (after - value)
            for (x, value), (beyond, after) in pairwise(curve)
            if (value <= 0 < after if rising else value >= 0 > after)
        ]
        roots += sorted(crossed, key=lambda root: abs(root - middle))[:1]
    if len(roots) < len(curves) or not roots:
        return Estimate(math.exp(middle), n=len(curves))
    return exponential(mean_interval(roots))


def _by_repeat(known: Mapping[int, Mapping[int, float]]) -> list[list[tuple[float, float]]]:
    """Return the logarithms of the lengths and the values of each repeat with several lengths."""
    repeats = sorted({repeat for values in known.values() for repeat in values})
    curves = (
        [(math.log(length), of[repeat]) for length, of in sorted(known.items()) if repeat in of]
        for repeat in repeats
    )
    return [curve for curve in curves if len(curve) > 1]


def between(low: int, high: int) -> int | None:
    """Return a round length between two; None if they are close enough."""
    if high <= low * TOLERANCE or high - low < 2:
        return None
    middle = math.sqrt(low * high)
    step = 1 << max(0, math.floor(math.log2(middle * (TOLERANCE - 1) / 2)))
    rounded = round(middle / step) * step
    return min(max(rounded, low + 1), high - 1)
