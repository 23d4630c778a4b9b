"""Searches along the sequence length: the longest that is affordable, where one overtakes another.

Pure: what a length costs is told by a function that the caller gives.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from suite.analysis.statistics import Estimate, mean_interval

TOLERANCE = 1.05
"""A search ends when its two ends are this close."""
NEARBY = 2.0
"""Lengths within this factor of a crossing say where exactly it lies."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """The longest length that fits and the shortest found that does not; None where there is none.

    Without `beyond` the search met its own end, and longer ones may fit as well.
    """

    longest: int | None
    beyond: int | None


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where the second overtakes the first, an estimate of a length; None up to `searched_to`.

    `always` is set where one of them is ahead from the first length on.
    """

    length: Estimate | None
    searched_to: int
    always: str | None = None


def find_frontier(fits: Callable[[int], bool], shortest: int, longest: int) -> Frontier:
    """Find how long a sequence may be: doubling from `shortest`, then halving what is between.

    `fits` must not come true again above a length where it was false. At most 2 + log₂(longest /
    shortest) + 5 lengths are asked for.
    """
    fitting, beyond = None, None
    length = shortest
    while length <= longest:
        if not fits(length):
            beyond = length
            break
        fitting, length = length, length * 2
    if fitting is None or beyond is None:
        return Frontier(fitting, beyond)
    while (middle := between(fitting, beyond)) is not None:
        if fits(middle):
            fitting = middle
        else:
            beyond = middle
    return Frontier(fitting, beyond)


def find_crossing(
    advantage: Callable[[int], Sequence[float]],
    lengths: Sequence[int],
    names: tuple[str, str],
    *,
    halves: bool = True,
) -> Crossing:
    """Find the length from which on the second of `names` is ahead.

    `advantage` gives, for a length, how far the second is ahead in each round, above 0 where it
    is. Where the median's sign changes between neighbours of `lengths`, the search `halves` what
    is between them; each round's own crossing, from a line through its values near there, gives
    the interval.
    """
    known: dict[int, Sequence[float]] = {}

    def ahead(length: int) -> bool:
        known[length] = advantage(length)
        return statistics.median(known[length]) > 0

    if ahead(lengths[0]):
        return Crossing(None, lengths[0], always=names[1])
    low, high = lengths[0], None
    for length in lengths[1:]:
        if ahead(length):
            high = length
            break
        low = length
    if high is None:
        return Crossing(None, lengths[-1], always=names[0])
    while halves and (middle := between(low, high)) is not None:
        if ahead(middle):
            high = middle
        else:
            low = middle
    return Crossing(locate_crossing(known, low, high), high)


def pair_up(
    first: Mapping[int, Mapping[int, float]],
    second: Mapping[int, Mapping[int, float]],
) -> dict[int, list[float]]:
    """Return by length how far the second is ahead in each repeat that both have.

    Both hold a figure, of which more is better, by length and by what repeats it: a round or a
    seed. A length without a repeat in common is left out.
    """
    found = {}
    for length in sorted(set(first) & set(second)):
        repeats = sorted(set(first[length]) & set(second[length]))
        if repeats:
            found[length] = [second[length][r] - first[length][r] for r in repeats]
    return found


def locate_crossing(known: Mapping[int, Sequence[float]], low: int, high: int) -> Estimate:
    """Estimate the length between `low` and `high` where the advantage is 0, and its interval.

    Every round draws its line of advantage over log length through what is known nearby. Ends
    without a crossing of their own are held at the bracket, so that the estimate is never outside.
    """
    near = {
        length: values
        for length, values in known.items()
        if low / NEARBY <= length <= high * NEARBY
    }
    rounds = min(len(values) for values in near.values())
    roots = []
    for number in range(rounds):
        places = [math.log(length) for length in near]
        line = statistics.linear_regression(places, [values[number] for values in near.values()])
        if line.slope > 0:
            roots.append(-line.intercept / line.slope)
    middle = math.sqrt(low * high)
    if len(roots) < rounds or not roots:
        return Estimate(middle, None, None, rounds)
    found = mean_interval(roots)
    value = math.exp(min(max(found.value, math.log(low)), math.log(high)))
    if found.low is None or found.high is None:
        return Estimate(value, None, None, rounds)
    # Where the value was held at the bracket, the interval reaches as far as it does.
    low_end, high_end = math.exp(min(found.low, 700.0)), math.exp(min(found.high, 700.0))
    return Estimate(value, min(low_end, value), max(high_end, value), rounds)


def between(low: int, high: int) -> int | None:
    """Return a round length between two, or None where they are as close as is asked."""
    if high <= low * TOLERANCE or high - low < 2:
        return None
    middle = math.sqrt(low * high)
    step = 1 << max(0, math.floor(math.log2(middle * (TOLERANCE - 1) / 2)))
    rounded = round(middle / step) * step
    return min(max(rounded, low + 1), high - 1)
