"""Crossover points: the lengths at which one entry overtakes another.

Costs are compared by probes, which the search runs where they are missing. Scores and published
costs are compared from records that exist: nothing is run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Any

from suite.analysis.bisection import TOLERANCE, Change, Crossing, find_crossing, pair_up
from suite.analysis.comparisons import Comparison, compare, in_precedence
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Estimate
from suite.analysis.ranking import Scores, difference
from suite.api import Cell, Metric, RequestError, Status, check_name, unknown_name
from suite.execution.preparation import prepare
from suite.matrix.durations import durations_here
from suite.matrix.expansion import expand
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.measures import DEFAULT_MEASURE, find_directed_measure, mode_measuring, phase_of
from suite.records.naming import cell_label
from suite.records.published import StoredRecord
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

    `differences` holds by length how far `second` is ahead in a score. `repeat` names what the
    intervals come from: "round" or "seed". At `noisy_lengths`, no round of a probe was quiet;
    otherwise noisy rounds do not count. `measured` says where published costs come from.
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
        repeats = f"{estimate.n} {self.repeat}{'s' if estimate.n != 1 else ''}"
        if estimate.low is None or estimate.high is None:
            return f"{text} ({repeats}: no interval)"
        return f"{text} [{estimate.low:,.0f}, {estimate.high:,.0f}] ({repeats})"


def check_pair(request: Request) -> tuple[str, str]:
    """Return the two entries of a request.

    Raises:
        RequestError: it does not name two.
    """
    names = request.architectures or ()
    if len(names) != 2 or names[0] == names[1]:
        received = f"{names[0]} twice" if len(names) == 2 else ", ".join(names)
        raise RequestError("A crossover compares two entries", received=received)
    return names[0], names[1]


def cost_crossover(
    request: Request,
    store: Store,
    run: RunPlan,
    measure: str = DEFAULT_MEASURE,
    report: Callable[[str], None] = lambda text: None,
) -> Crossover:
    """Probe two entries until the length where the second overtakes is known within 5%.

    The interval comes from the rounds of the probes. `report` shows, before the first probe, how
    many probes there are and how long they may take.

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
    lengths = request.lengths or sorted({planned.cell.sequence_length for planned in cells})
    report(_statement([planned.cell for planned in cells], lengths, store))
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

    crossing = find_crossing(advantage, lengths, (first, second))
    return Crossover(first, second, measure, "round", crossing, noisy_lengths=sorted(noisy))


def _statement(cells: Sequence[Cell], lengths: Sequence[int], store: Store) -> str:
    """Return what a search does, and how long its first probes take."""
    return (
        f"{len(cells)} probes at {len(lengths)} lengths from {lengths[0]:,} to {lengths[-1]:,} "
        f"take {durations_here(store).expected(cells)}. Where one entry overtakes the other, "
        f"further probes find the length to within {TOLERANCE - 1:.0%}. The same command "
        "continues after an interruption."
    )


def cells_of(
    pair: tuple[str, str], cells: Iterable[PlannedCell]
) -> tuple[str, str, list[PlannedCell]]:
    """Return both entries of a pair of names, and their cells.

    Raises:
        RequestError: a name means no entry, or several.
    """
    cells = list(cells)
    entries = {planned.ranking.entry: planned.cell.architecture for planned in cells}
    first, second = (_find_entry(name, entries) for name in pair)
    return first, second, [item for item in cells if item.ranking.entry in (first, second)]


def _find_entry(name: str, entries: Mapping[str, str]) -> str:
    """Return the entry of a name, given the architecture of each entry.

    An architecture's name also means its only entry. One with several entries is named with
    options, unless one of them has none.
    """
    if name in entries:
        return name
    named = [entry for entry, architecture in entries.items() if architecture == name]
    if len(named) != 1:
        raise unknown_name("entry", name, entries)
    return named[0]


def _values(records: Sequence[Record], entry: str, measure: str) -> dict[int, float]:
    """Return an entry's values of a measure by round."""
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
    seeds = f"{gap.n} seed{'s' if gap.n != 1 else ''}"
    if gap.low is None or gap.high is None:
        return f"{text} ({seeds}: no interval)"
    if not gap.is_beyond_noise:
        return f"{text}, within the noise [{gap.low:.4g}, {gap.high:.4g}] ({seeds})"
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return f"{text} [{low:.4g}, {high:.4g}] ({seeds})"


def score_crossover(
    request: Request, records: Iterable[StoredRecord], metric: str | None = None
) -> Crossover:
    """Compare the scores of two entries at the lengths and seeds that both have.

    The default is the task's primary metric. The number of threads makes no difference, and tuned
    records are preferred.

    Raises:
        RequestError: fewer than two lengths have records of both.
    """
    pair = check_pair(request)
    request = replace(request, architectures=architectures_of(pair))
    if not request.tasks or len(request.tasks) != 1:
        raise RequestError(
            "Scores are compared on one task", received=", ".join(request.tasks or ())
        )
    if request.evaluation_lengths:
        raise RequestError(
            "Scores are compared at training lengths, not at evaluation lengths",
            received=f"--evaluation-lengths {','.join(map(str, request.evaluation_lengths))}",
            remedy="Leave the option out; `bench report` prints the scores at each length",
        )
    if metric and "." in metric:
        raise RequestError(
            "A score of trainings is one of the task's metrics",
            received=f"--metric {metric}",
            remedy="Leave --task out to compare costs by probes",
        )
    registry = load_registry()
    first, second, cells = cells_of(pair, expand(request, registry))
    requested = {_score_id(planned.cell, tuned=False) for planned in cells}
    entries = _requested_entries(compare(records, registry.task_versions), requested)
    task = registry.tasks.get(request.tasks[0])
    metric = metric or task.primary_metric.name
    metrics = {known.name: known for known in (task.primary_metric, *task.other_metrics)}
    recorded = {
        name for entry in entries for r in entry.good for name in r.metrics.get(entry.split, ())
    }
    check_name(f"metric of the task '{request.tasks[0]}'", metric, [*metrics, *recorded])
    chosen = metrics.get(metric, Metric(metric))
    scores = [_scores_by_length(entries, name, chosen) for name in (first, second)]
    better, worse = (1, 0) if chosen.higher_is_better else (0, 1)
    leads = pair_up(*({n: s.by_seed for n, s in scores[i].items()} for i in (worse, better)))
    if len(leads) < 2:
        raise RequestError(
            f"Both entries need records with {metric} at two lengths or more",
            received=f"{len(leads)} such length{'' if len(leads) == 1 else 's'}",
            remedy="Run `bench run` with the same options and at least two --lengths first",
        )
    names = (first, second)
    crossing = find_crossing(leads.__getitem__, list(leads), names, halves=False, center=fmean)
    gaps = {n: difference(scores[better][n], scores[worse][n]) for n in leads}
    return Crossover(first, second, metric, "seed", crossing, gaps)


def published_cost_crossover(
    request: Request, records: Iterable[StoredRecord], measure: str = DEFAULT_MEASURE
) -> Crossover:
    """Compare the costs of two entries at the lengths that one comparison measured for both.

    It is the comparison with the most common lengths, among those with the form, size, backend,
    precision, batch size and lengths that the request names. A crossing is interpolated; its
    interval comes from the quiet rounds.

    Raises:
        RequestError: no comparison has both entries at two lengths.
    """
    first, second = check_pair(request)
    higher_is_better = find_directed_measure(measure).higher_is_better
    # `pair_up` subtracts the first from the second: the lower one of two times is ahead.
    subtracted = (first, second) if higher_is_better else (second, first)
    known: list[tuple[Comparison, dict[int, dict[int, float]]]] = []
    for comparison in in_precedence(compare(records)):
        if _is_asked(comparison, request, measure):
            logs = [_logs(comparison, entry, measure, request) for entry in subtracted]
            known.append((comparison, pair_up(*logs)))
    widest = max(known, key=lambda item: len(item[1]), default=None)
    if widest is None or len(widest[1]) < 2:
        raise RequestError(
            f"Published records must have {measure} of both entries at two lengths or more",
            received=f"{first} and {second} at {len(widest[1]) if widest else 0} such lengths",
            remedy="Omit --published to run the missing probes, or name entries of `bench report "
            "--published`",
        )
    comparison, leads = widest
    crossing = find_crossing(leads.__getitem__, list(leads), (first, second), halves=False)
    key = comparison.key
    measured = f"{key.form}, {key.batch}, {key.backend}, {key.precision}; "
    return Crossover(
        first, second, measure, "round", crossing, measured=measured + comparison.sessions_text
    )


def _is_asked(comparison: Comparison, request: Request, measure: str) -> bool:
    """Return whether a comparison is of the measure's mode and of what a request names."""
    key = comparison.key
    return (
        key.mode is mode_measuring(measure.partition(".")[0])
        and request.form in (None, key.form)
        and request.model_size in (None, key.model_size)
        and key.backend in (request.backends or (key.backend,))
        and key.precision in (request.precisions or (key.precision,))
    )


def _logs(
    comparison: Comparison, name: str, measure: str, request: Request
) -> dict[int, Mapping[int, float]]:
    return {
        entry.sequence_length: entry.log_scores(measure).by_seed
        for entry in comparison.entries
        if entry.name == name
        and entry.sequence_length in (request.lengths or (entry.sequence_length,))
        and request.batch_size in (None, entry.batch_size)
    }


def _score_id(cell: Cell, *, tuned: bool) -> str:
    """Return the id of a cell without what leaves its comparison alone: threads, a tuned rate."""
    options = dict(cell.options)
    if tuned:
        options.pop("learning_rate", None)
    return replace(cell, threads=1, options=options).id


def _requested_entries(
    comparisons: Iterable[Comparison], requested: Collection[str]
) -> list[EntryAtLength]:
    """Return the entries of the requested cells, from the comparison with the most of them.

    Among equals the newest comparison counts.
    """
    candidates = [
        [
            entry
            for entry in comparison.entries
            if any(
                _score_id(record.cell, tuned=record.ranking.tuning is not None) in requested
                for record in entry.records
            )
        ]
        for comparison in comparisons
    ]
    return max(
        candidates,
        key=lambda entries: (len(entries), max(sum((e.run_ids for e in entries), [""]))),
        default=[],
    )


def _scores_by_length(
    entries: Iterable[EntryAtLength], name: str, metric: Metric
) -> dict[int, Scores]:
    """Return the scores of an entry by length; those with tuned rates are preferred."""
    by_length: dict[int, Scores] = {}
    for entry in sorted(entries, key=lambda entry: entry.has_tuned_rate):
        scores = entry.scores(metric)
        is_of_entry = any(record.ranking.entry == name for record in entry.records)
        if is_of_entry and scores.by_seed:
            by_length[entry.sequence_length] = scores
    return dict(sorted(by_length.items()))
