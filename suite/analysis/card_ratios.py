"""Ratios of the costs of two models that were measured in interleaved rounds.

The two runs of a round are neighbours in one session, so that a drift of the machine affects both.
The logarithms of their ratios have one variance at all lengths of a measure, which is estimated
from all of them. The intervals are simultaneous (Bonferroni): with probability `COVERED`, all
intervals of a comparison contain the truth, so that comparing a model with itself rarely alarms.
Beside the ratio at each length, each measure has the mean ratio over its lengths.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from suite.api import Mode, Status
from suite.records.measures import ON_CARDS
from suite.records.schema import RecordSummary

COVERED = 0.99
"""The probability that all intervals of a comparison contain the truth."""
MIN_ROUNDS = 3
"""The fewest rounds with an interval."""
LEAST_DEVIATION = {"peak_memory_bytes": 0.02, "state_bytes": 0.0}
"""The least standard deviation of a measure: peaks of memory come in steps."""

Key = tuple[Mode, int, int]
"""The mode, the length and the round of a cell."""


@dataclass(frozen=True, slots=True)
class CostRatio:
    """The cost of a model relative to another at a length; None is the mean over the lengths.

    There is no interval with fewer than `MIN_ROUNDS` rounds.
    """

    measure: str
    length: int | None
    value: float
    low: float | None
    high: float | None
    rounds: int

    def __str__(self) -> str:
        where = "over all lengths" if self.length is None else f"at {self.length:,}"
        ends = "" if self.low is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{ON_CARDS[self.measure].title.lower()} {where}: {self.value:.3f}{ends} times"

    def exceeds(self, share: float) -> bool:
        """Return whether the whole interval lies above 1 + `share`."""
        return self.low is not None and self.low > 1 + share


def cost_ratios(
    records: Mapping[Key, RecordSummary], others: Mapping[Key, RecordSummary]
) -> list[CostRatio]:
    """Return the ratios of the costs in `records` to those in `others`, by measure and length."""
    logs: dict[str, dict[int, list[float]]] = {}
    for key in sorted(records.keys() & others.keys()):
        one, other = records[key], others[key]
        together = one.invocation.id == other.invocation.id
        if not together or {one.status, other.status} != {Status.OK}:
            continue
        for measure in ON_CARDS:
            values = [record.measured(*measure.split(".")) for record in (one, other)]
            if all(values):
                ratio = math.log(values[0] / values[1])  # type: ignore[operator]
                logs.setdefault(measure, {}).setdefault(key[1], []).append(ratio)
    count = sum(len(by_length) + 1 for by_length in logs.values())
    return [
        ratio for measure, by_length in logs.items() for ratio in _ratios(measure, by_length, count)
    ]


def _ratios(
    measure: str, by_length: Mapping[int, Sequence[float]], count: int
) -> Iterable[CostRatio]:
    """Yield the mean ratio of a measure, then that of each length; `count` intervals are made."""
    from scipy.stats import t  # not at the top: listings need no scipy

    freedom = sum(len(logs) - 1 for logs in by_length.values())
    squares = sum(
        (len(logs) - 1) * statistics.variance(logs) for logs in by_length.values() if len(logs) > 1
    )
    least = LEAST_DEVIATION.get(measure.partition(".")[2], 0.0)
    deviation = max(least, math.sqrt(squares / freedom)) if freedom else 0.0
    quantile = t.ppf(1 - (1 - COVERED) / (2 * count), freedom) if freedom else 0.0
    means = [statistics.fmean(logs) for logs in by_length.values()]
    inverse = sum(1 / len(logs) for logs in by_length.values())
    fewest = min(map(len, by_length.values()))
    rows: list[tuple[int | None, float, float, int]] = [
        (None, statistics.fmean(means), math.sqrt(inverse) / len(means), fewest)
    ]
    rows += [
        (length, mean, 1 / math.sqrt(len(logs)), len(logs))
        for (length, logs), mean in zip(by_length.items(), means, strict=True)
    ]
    for length, mean, factor, rounds in rows:
        low = high = None
        if rounds >= MIN_ROUNDS:
            margin = quantile * deviation * factor
            low, high = math.exp(mean - margin), math.exp(mean + margin)
        yield CostRatio(measure, length, math.exp(mean), low, high, rounds)
