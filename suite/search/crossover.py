"""Crossover points: the lengths at which one entry overtakes another.

Costs are compared by probes, which the search runs where they are missing.
`suite.search.recorded_crossover` compares records that exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from suite.analysis.bisection import Change, Crossing, find_crossing
from suite.analysis.estimates import Estimate, count_text
from suite.api import RequestError, Status, unknown_name
from suite.execution.preparation import prepare
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.request import Request
from suite.records.measures import DEFAULT_MEASURE, find_directed_measure, phase_of
from suite.records.naming import cell_label
from suite.records.schema import Record
from suite.records.store import Store
from suite.search.probing import (
    Prober,
    RunPlan,
    architectures_of,
    check_one_setting,
    request_measuring,
)


@dataclass(frozen=True, slots=True)
class Crossover:
    """The lengths where one of two entries overtakes the other in a metric.

    `differences` holds by length how far `second` is ahead in a score; it is empty for costs.
    `repeat` names what the intervals come from: "round" or "seed". Noisy rounds of probes do not
    count, except at `noisy_lengths`, where no round was quiet. `measured` says where published
    costs come from.
    """

    first: str
    second: str
    metric: str
    repeat: str
    crossing: Crossing
    differences: Mapping[int, Estimate] = field(default_factory=dict)
    noisy_lengths: Sequence[int] = ()
    measured: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as `bench crossover --json` prints it."""
        length = asdict(self.crossing.length) if self.crossing.length else None
        return {
            **asdict(self.crossing),
            "length": length,
            "metric": self.metric,
            "differences": [{"length": n, **asdict(gap)} for n, gap in self.differences.items()],
            "measured": self.measured,
            "noisy_lengths": list(self.noisy_lengths),
        }

    def __str__(self) -> str:
        is_noise = not any(gap.is_beyond_noise for gap in self.differences.values())
        noise = "; at no length beyond the noise" if self.differences and is_noise else ""
        lines = [self._sentence() + noise]
        for length, gap in self.differences.items():
            lines.append(f"  at {length:,}: {self.second} {_gap_text(gap)}")
        lines += [f"  published: {self.measured}"] if self.measured else []
        if self.noisy_lengths:
            lengths = ", ".join(f"{length:,}" for length in self.noisy_lengths)
            lines.append(f"  noisy: other processes used the machine in every round at {lengths}")
        return "\n".join(lines)

    def _sentence(self) -> str:
        first, second, metric, crossing = self.first, self.second, self.metric, self.crossing
        equal, end = ", ".join(f"{n:,}" for n in crossing.equal_at), f"{crossing.searched_to:,}"
        ties = f" (equal at {equal})" if equal else ""
        if crossing.always == second:
            return f"{second} is ahead of {first} in {metric} at all lengths to {end}{ties}"
        if crossing.always == first:
            return f"none up to {end}: {first} stays ahead of {second} in {metric}{ties}"
        if not crossing.changes:
            return f"none up to {end}: {first} and {second} have the same {metric}"
        changes = "; ".join(map(self._change, crossing.changes))
        if len(crossing.changes) == 1:
            return changes + ties
        return f"{changes}: the curves cross back, up to {end}{ties}"

    def _change(self, change: Change) -> str:
        estimate = change.length
        behind = self.second if change.ahead == self.first else self.first
        text = f"{change.ahead} overtakes {behind} in {self.metric} at length {estimate.value:,.0f}"
        repeats = count_text([estimate.n], self.repeat)
        if estimate.low is None or estimate.high is None:
            return f"{text} ({repeats}: no interval)"
        return f"{text} [{estimate.low:,.0f}, {estimate.high:,.0f}] ({repeats})"


def check_pair(request: Request) -> tuple[str, str]:
    """Return the two entries of a request: an entry is written as the tables write it.

    Raises:
        RequestError: the request does not name two different entries.
    """
    names = request.architectures or ()
    if len(names) != 2 or names[0] == names[1]:
        received = f"{names[0]} twice" if len(names) == 2 else ", ".join(names)
        raise RequestError("A crossover compares two entries", received=received)
    return names[0], names[1]


def cost_crossover(
    request: Request, store: Store, run: RunPlan, measure: str = DEFAULT_MEASURE
) -> Crossover:
    """Probe two entries until the length where the second overtakes is known within 5%.

    The interval comes from the rounds of the probes.

    Raises:
        RequestError: the measure has no direction, an entry is unknown or cannot run at a length,
            or the benchmark lists several forms or batch sizes and the request chooses none.
    """
    pair = check_pair(request)
    request = replace(request, architectures=architectures_of(pair))
    sign = 1 if find_directed_measure(measure).higher_is_better else -1
    request = request_measuring(measure.partition(".")[0], request)
    # The lengths are probed one by one; check all of them before anything runs.
    first, second, cells = cells_of(pair, prepare(request, store).plan.cells)
    for planned in cells:
        if planned.unsupported:
            raise RequestError(
                "Both entries must run at every length",
                received=f"{cell_label(planned.cell, planned.ranking)}: {planned.unsupported}",
                remedy="Name another --form, or --lengths that both support",
            )
    check_one_setting("A crossover", (planned.cell for planned in cells))
    store.prepare()
    prober = Prober(request, store, run)
    noisy: list[int] = []

    def advantage(length: int) -> dict[int, float]:
        records = prober.probe(length, (first, second))
        ours, theirs = (_values(records, name, measure) for name in (first, second))
        rounds = sorted(ours.keys() & theirs.keys())
        phase = phase_of(measure)
        disturbed = {record.repeat for record in records if not record.is_quiet(phase)}
        if quiet := [number for number in rounds if number not in disturbed]:
            rounds = quiet
        else:
            noisy.append(length)
        return {number: sign * math.log(theirs[number] / ours[number]) for number in rounds}

    lengths = request.lengths or sorted({planned.cell.sequence_length for planned in cells})
    crossing = find_crossing(advantage, lengths, (first, second))
    return Crossover(first, second, measure, "round", crossing, noisy_lengths=sorted(noisy))


def cells_of(
    pair: tuple[str, str], cells: Iterable[PlannedCell]
) -> tuple[str, str, list[PlannedCell]]:
    """Return both entries of a pair of names, and their cells.

    Raises:
        RequestError: a name is that of no entry.
    """
    cells = list(cells)
    entries = {planned.ranking.entry: planned.cell.architecture for planned in cells}
    first, second = (_find_entry(name, entries) for name in pair)
    return first, second, [item for item in cells if item.ranking.entry in (first, second)]


def _find_entry(name: str, entries: Mapping[str, str]) -> str:
    """Return the entry of a name, given the architecture of each entry.

    An architecture's name also means its only entry.

    Raises:
        RequestError: the name is not that of an entry. An architecture with several entries is
            named with options, unless one of them has none.
    """
    if name in entries:
        return name
    named = [entry for entry, architecture in entries.items() if architecture == name]
    if len(named) != 1:
        raise unknown_name("entry", name, entries)
    return named[0]


def _values(records: Sequence[Record], entry: str, measure: str) -> dict[int, float]:
    """Return an entry's values of a measure by round.

    Raises:
        RequestError: a cell failed, or its record has no positive value of the measure.
    """
    phase, _, name = measure.partition(".")
    values = {}
    for record in records:
        if record.ranking.entry != entry:
            continue
        value = record.measured(phase, name)
        if record.status is not Status.OK or value is None:
            known = sorted(record.measurements.get(phase, {}))
            raise RequestError(
                f"{cell_label(record.cell, record.ranking)} has no {measure}",
                received=record.reason or f"the measures {', '.join(known)}",
                remedy="Name another measure, or lengths at which both entries can run",
            )
        if value <= 0:
            raise RequestError(
                "A crossover compares ratios of a measure, which must be above 0",
                received=f"{measure} {value:g} of {cell_label(record.cell, record.ranking)}",
                remedy="Name another measure",
            )
        values[record.repeat] = value
    return values


def _gap_text(gap: Estimate) -> str:
    side = "ahead" if gap.value > 0 else "behind"
    text = f"{side} by {abs(gap.value):.4g}" if gap.value else "equal"
    seeds = count_text([gap.n])
    if gap.low is None or gap.high is None:
        return f"{text} ({seeds}: no interval)"
    if not gap.is_beyond_noise:
        return f"{text}, within the noise [{gap.low:.4g}, {gap.high:.4g}] ({seeds})"
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return f"{text} [{low:.4g}, {high:.4g}] ({seeds})"
