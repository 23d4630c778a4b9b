"""Ratios of costs: to the same cell on another backend, to a baseline entry, and to another model.

Rounds are paired, and an interval is over the pairs: drift of the machine cancels out of a pair
that ran side by side.

**Cards** compare two models in interleaved rounds, whose two runs are neighbours in one session.
The variance of the logarithms of their ratios is estimated from all lengths of a measure, unless
Bartlett's test finds that the variances differ: then each length has its own. The intervals are
simultaneous (Bonferroni): with probability `COVERED`, all intervals of a comparison contain the
truth. Each measure also has the mean ratio over the lengths with enough rounds. Times are those of
the fastest step of each run, because whatever else a machine does only adds time. On a shared
machine of two cores, the logarithms of the ratios of two equal models had a standard deviation of
0.11 in medians of inference and of 0.02 in fastest steps; in training, 0.09 and 0.05.
"""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from suite.analysis.boards import BASELINE
from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate, Figure, ratio_interval
from suite.analysis.frame import PLACE, cost_figures
from suite.api import Mode, Status, Track
from suite.records.measures import COSTS, ON_CARDS
from suite.records.schema import RecordSummary

LENGTHS = (512, 8_192)
"""The lengths of relative costs."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A cost as a multiple of the same cell's on another backend or in another precision.

    `hours_apart` is the largest time between the starts of a pair.
    """

    entry: str
    sequence_length: int
    measure: str
    ratio: Estimate
    hours_apart: float

    def to_dict(self) -> dict[str, Any]:
        """Return the ratio as JSON shows it."""
        fields = asdict(self)
        ratio = fields.pop("ratio")
        return {**fields, "rounds": ratio.pop("n"), **ratio}


def backend_ratios(comparison: Comparison, baseline: Comparison) -> list[Ratio]:
    """Return the ratio of each entry, length and measure to the baseline's, paired by round.

    Both are of one invocation on one machine: the one whose costs are compared, or else the newest.
    The two may differ in the backend's version.
    """
    ours, theirs = (_costs_of_invocations(each) for each in (comparison, baseline))
    if ours.empty or theirs.empty:
        return []
    pairs = ours.merge(theirs, on=[*PLACE, "measure", "repeat", "invocation"])
    if pairs.empty:
        return []
    pairs = pairs.sort_values(["in_session_x", "session_started_x", "repeat"])
    pairs = pairs[pairs["invocation"] == pairs.groupby(PLACE)["invocation"].transform("last")]
    apart = (pairs["started_at_x"] - pairs["started_at_y"]).abs() / timedelta(hours=1)
    pairs = pairs.assign(ratio=pairs["value_x"] / pairs["value_y"], apart=apart)
    return [
        Ratio(
            name,
            length,
            measure,
            ratio_interval(rows["ratio"].tolist()),
            float(rows["apart"].max()),
        )
        for (name, length, _, measure), rows in pairs.groupby([*PLACE, "measure"])
    ]


def _costs_of_invocations(comparison: Comparison) -> Any:
    costs: Any = comparison.costs(COSTS)
    return costs.assign(
        invocation=[(session.invocation, *session.used_machine) for session in costs["session"]],
        session_started=[session.started_at for session in costs["session"]],
        started_at=[stored.record.started_at for stored in costs["stored"]],
    )


def relative_costs(comparison: Comparison) -> dict[tuple[str, int], dict[str, Figure]]:
    """Return the costs as multiples of those of `BASELINE`, by entry and length of `LENGTHS`.

    The costs at a length are of one session, which may differ from that at another. Only entries of
    equal batch size are compared. A cost is missing where the entry or the baseline has no quiet
    measurement in the session. `sessions` is the number of sessions on equal machines that measured
    both, and `between_sessions` the standard deviation of the logarithms of their ratios.
    """
    costs = comparison.costs(COSTS)
    costs = costs[costs["sequence_length"].isin(LENGTHS)]
    pair = ["sequence_length", "batch_size", "measure", "session", "repeat"]
    base = costs.loc[costs["entry"] == BASELINE, [*pair, "value"]]
    if base.empty:
        return {}
    pairs = costs.merge(base, on=pair, suffixes=("", "_base"))
    pairs = pairs.assign(value=pairs["value"] / pairs["value_base"])
    ratios: dict[tuple[str, int], dict[str, Figure]] = {}
    for (name, length, _, measure), figure in cost_figures(pairs, PLACE).items():
        ratios.setdefault((name, length), {})[measure] = figure
    return ratios


def choose_probes(
    comparisons: Iterable[Comparison], entries: Collection[str], **wanted: str
) -> Comparison | None:
    """Return the probes of some entries with the most relative costs; None without probes.

    The session is the one that covers these entries and `BASELINE` best. `wanted` are fields of the
    key. Among equals, a batch with the same number of positions at every length is preferred, then
    the newest session.
    """

    def precedence(probes: Comparison) -> tuple[int, bool, str]:
        count = sum(map(len, relative_costs(probes).values()))
        started = probes.session.started_at.isoformat() if probes.session else ""
        return count, not probes.key.sequences_per_batch, started

    candidates = [
        probes
        for comparison in comparisons
        if comparison.key.mode is Mode.PROBE
        and comparison.key.track != Track.OPEN
        and all(getattr(comparison.key, name) == value for name, value in wanted.items())
        and (probes := comparison.among({*entries, BASELINE})) is not None
    ]
    return max(candidates, key=precedence, default=None)


COVERED = 0.99
"""The probability that all intervals of a comparison contain the truth."""
MIN_ROUNDS = 5
"""The fewest rounds with an interval."""
DIFFERENT = 0.05
"""The p-value below which the variances of lengths differ."""
LEAST_DEVIATION = {"peak_memory_bytes": 0.02, "state_bytes": 0.0}
"""The least standard deviation of a measure: peaks of memory come in steps."""

COMPARED = {"step_seconds": "fastest_step_seconds"}
"""The measure of which two models are compared in place of another."""

Key = tuple[Mode, int, int]
"""The mode, the length and the round of a cell."""


@dataclass(frozen=True, slots=True)
class CostRatio:
    """The cost of a model relative to that of another at a length, or the mean over all lengths.

    The mean has the length None; a single length has no mean. There is no interval with fewer than
    `MIN_ROUNDS` rounds.
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
            phase, name = measure.split(".")
            compared = COMPARED.get(name, name)
            values = [record.measured(phase, compared) for record in (one, other)]
            if all(values):
                ratio = math.log(values[0] / values[1])  # type: ignore[operator]
                logs.setdefault(measure, {}).setdefault(key[1], []).append(ratio)
    count = sum(len(by_length) + (len(by_length) > 1) for by_length in logs.values())
    return [
        ratio for measure, by_length in logs.items() for ratio in _ratios(measure, by_length, count)
    ]


def _ratios(
    measure: str, by_length: Mapping[int, Sequence[float]], count: int
) -> Iterable[CostRatio]:
    """Yield the mean ratio of several lengths, then that of each; `count` intervals are made."""
    from scipy.stats import t  # not at the top: listings need no scipy

    enough = {length: logs for length, logs in by_length.items() if len(logs) >= MIN_ROUNDS}
    spreads = _spreads(enough, LEAST_DEVIATION.get(measure.partition(".")[2], 0.0))
    averaged = (enough or by_length).values()
    rounds = min(map(len, averaged))
    rows: list[tuple[int | None, float, int]] = [
        (length, statistics.fmean(logs), len(logs)) for length, logs in by_length.items()
    ]
    if len(rows) > 1:
        rows.insert(0, (None, statistics.fmean(map(statistics.fmean, averaged)), rounds))
    for length, mean, rounds in rows:
        low = high = None
        if length in spreads:
            error, freedom = spreads[length]
            margin = t.ppf(1 - (1 - COVERED) / (2 * count), freedom) * error
            low, high = math.exp(mean - margin), math.exp(mean + margin)
        yield CostRatio(measure, length, math.exp(mean), low, high, rounds)


def _spreads(
    by_length: Mapping[int, Sequence[float]], least: float
) -> dict[int | None, tuple[float, float]]:
    """Return the standard error of the mean at each length, and its degrees of freedom.

    None has those of the mean over all lengths: by Welch and Satterthwaite, if the lengths have
    variances of their own. No deviation is less than `least`.
    """
    if not by_length:
        return {}
    freedoms = [len(logs) - 1 for logs in by_length.values()]
    variances = [max(least**2, statistics.variance(logs)) for logs in by_length.values()]
    total = sum(freedoms)
    pooled = sum(map(operator.mul, freedoms, variances)) / total
    sizes = list(map(len, by_length.values()))
    if _are_equal(variances, freedoms, pooled):
        of_mean = float(total), [pooled / size for size in sizes]
        freedoms = [total] * len(sizes)
        variances = [max(pooled, variance) for variance in variances]
    else:
        squares = list(map(operator.truediv, variances, sizes))
        parts = (square**2 / freedom for square, freedom in zip(squares, freedoms, strict=True))
        of_mean = sum(squares) ** 2 / sum(parts), squares
    spreads: dict[int | None, tuple[float, float]] = {
        length: (math.sqrt(variance / size), freedom)
        for length, variance, size, freedom in zip(
            by_length, variances, sizes, freedoms, strict=True
        )
    }
    freedom, squares = of_mean
    spreads[None] = math.sqrt(sum(squares)) / len(sizes), freedom
    return spreads


def _are_equal(variances: Sequence[float], freedoms: Sequence[int], pooled: float) -> bool:
    """Return whether Bartlett's test, at 5%, finds no difference between variances."""
    from scipy.stats import chi2

    if len(variances) == 1 or not pooled:
        return True
    if not min(variances):
        return False
    logs = sum(n * math.log(pooled / each) for n, each in zip(freedoms, variances, strict=True))
    others = len(variances) - 1
    correction = 1 + (sum(1 / n for n in freedoms) - 1 / sum(freedoms)) / (3 * others)
    return bool(chi2.sf(logs / correction, others) >= DIFFERENT)
