"""Records → the rows of a table, and scaling exponents: what `bench report` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from suite.analysis.grouping import (
    REPEATED,
    ComparisonKey,
    Place,
    baselines,
    group,
    place_of_most,
    rules_in_force,
    rules_of,
    setting_of,
)
from suite.analysis.statistics import (
    Estimate,
    Summary,
    claimed_exponent,
    ratio_interval,
    scaling_estimate,
    summarize,
)
from suite.api import Architecture, Cell, Mode, Status, Task
from suite.records.environment import machine_name
from suite.records.schema import RecordSummary

Figures = Mapping[str, Summary | None]

CLAIM_TOLERANCE = 0.15
"""Caches, the allocator and the clock bend a curve by so much without the algorithm's doing."""
PHASES = ("training", "inference")
COMPARED = tuple(
    f"{phase}.{name}" for phase in PHASES for name in ("tokens_per_second", "peak_memory_bytes")
)
"""What is compared between backends, and between precisions."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells that differ only in seed and round: one point of a line.

    `figures` are over the good records; `statuses` counts all of them; `reasons` says, once each,
    why the others are not good.
    """

    line: str
    cell: Cell
    figures: Figures
    statuses: Mapping[str, int]
    reasons: Sequence[str]
    noisy: int = 0
    """How many were measured while others used the machine: no costs are read from them, unless
    all were."""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        fields = asdict(self.cell)
        for name in REPEATED:
            del fields[name]
        figures = {name: asdict(value) if value else None for name, value in self.figures.items()}
        return {
            "line": self.line,
            "cell": fields,
            "figures": figures,
            "statuses": dict(self.statuses),
            "reasons": list(self.reasons),
            "noisy": self.noisy,
        }


@dataclass(frozen=True, slots=True)
class Exponent:
    """How what one sequence costs grows with length, measured and as the architecture claims it.

    `claimed_exponent` is that of the claim over the same lengths, where "n log n" is a little
    above 1. `contradicted` where even the interval's low end lies above it by more than
    `CLAIM_TOLERANCE`.
    """

    line: str
    measure: str
    exponent: float | None
    low: float | None
    high: float | None
    rounds: int
    lengths: Sequence[int]
    claim: str | None = None
    claimed_exponent: float | None = None
    contradicted: bool = False


@dataclass(frozen=True, slots=True)
class Ratio:
    """A measure as so many times that of the same cell on another backend or in another precision.

    Rounds are paired, and the interval is over them; the machine's drift cancels out of a pair that
    ran side by side. `hours_apart` is how long after one another the two of a pair began, at most.
    """

    line: str
    sequence_length: int
    measure: str
    value: float
    low: float | None
    high: float | None
    rounds: int
    hours_apart: float


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one mode, task, source and setting; `metric` is what quality is read from.

    `ratios` are to what ran the way that `baseline` says, backend and precision.
    """

    title: str
    metric: str | None
    rows: Sequence[Row]
    exponents: Sequence[Exponent] = ()
    baseline: str = ""
    ratios: Sequence[Ratio] = ()


def make_tables(
    records: Iterable[RecordSummary],
    tasks: Mapping[str, Task],
    architectures: Mapping[str, Architecture] | None = None,
) -> list[Table]:
    """Arrange records: a table for each setting, a row for each line and length.

    `tasks` say what quality is, `architectures` what each claims of its cost. What ran under an
    older protocol, or an older version of its task or architecture, is left out. Probes of several
    machines have tables of their own; of trainings, costs are of the machine and threads with most.
    """
    tables = []
    present = [record for record in records if in_force(record, tasks, architectures or {})]
    several = len({machine_name(record.environment) for record in present}) > 1

    def setting_here(record: RecordSummary) -> ComparisonKey:
        own = several and record.cell.mode is Mode.PROBE
        machine = machine_name(record.environment) if own else ""
        return setting_of(record, tasks, machine=machine)

    groups = group(present, setting_here, lambda record: record.cell)
    measured_by = baselines(groups)
    for setting, of_setting in groups.items():
        task = tasks.get(setting.task)
        metric = task.primary_metric.name if task else None
        rows = _rows(of_setting, metric, tasks)
        probe = setting.mode is Mode.PROBE
        quiet = _quiet(of_setting) if probe else ()
        baseline = measured_by[setting]
        growth = exponents(quiet, tasks, architectures or {})
        compared = ratios(quiet, _quiet(groups[baseline]), tasks) if baseline != setting else ()
        tables.append(Table(setting.title, metric, rows, growth, baseline.way, compared))
    return tables


def in_force(
    record: RecordSummary, tasks: Mapping[str, Task], architectures: Mapping[str, Architecture]
) -> bool:
    """Whether a record ran under this code's protocol, version of the task and architecture."""
    cell = record.cell
    architecture = architectures.get(cell.architecture)
    return rules_of(record) >= rules_in_force(cell, tasks) and (
        architecture is None or cell.architecture_version >= architecture.version
    )


def _quiet(records: Sequence[RecordSummary]) -> list[RecordSummary]:
    return [record for record in records if record.quiet]


def _rows(
    records: Sequence[RecordSummary], metric: str | None, tasks: Mapping[str, Task]
) -> list[Row]:
    points: dict[tuple[Any, ...], list[RecordSummary]] = {}
    for record in records:
        cell = record.cell
        key = (cell.sequence_length, record.ranking.entry, cell.batch_size)
        points.setdefault(key, []).append(record)
    measured_on = place_of_most(map(_place, records))
    return [
        _row(name, point, metric, measured_on) for (_, name, _), point in sorted(points.items())
    ]


def _place(record: RecordSummary) -> Place:
    return machine_name(record.environment), record.cell.threads


def _row(
    name: str, records: Sequence[RecordSummary], metric: str | None, measured_on: Place
) -> Row:
    good = [record for record in records if record.status is Status.OK]
    statuses: dict[str, int] = {}
    for record in records:
        statuses[str(record.status)] = statuses.get(str(record.status), 0) + 1
    figures: dict[str, Summary | None] = {}
    if metric:
        figures[f"test.{metric}"] = _summary(record.metric(metric) for record in good)
    measured = [record for record in good if _place(record) == measured_on]
    measured = _quiet(measured) or measured
    for phase in PHASES:
        for measure in ("tokens_per_second", "step_seconds", "peak_memory_bytes"):
            values = (record.measured(phase, measure) for record in measured)
            figures[f"{phase}.{measure}"] = _summary(values)
    reasons = sorted({record.reason for record in records if record.reason})
    noisy = sum(not record.quiet for record in good)
    return Row(name, records[0].cell, figures, statuses, reasons, noisy)


def _summary(values: Iterable[float | None]) -> Summary | None:
    return summarize([value for value in values if value is not None])


def exponents(
    records: Sequence[RecordSummary],
    tasks: Mapping[str, Task],
    architectures: Mapping[str, Architecture],
) -> list[Exponent]:
    """Estimate the exponents of what one sequence costs, each round a sweep of its own.

    Time can be had at any batch, divided by it; memory only where all batches are of one size.
    """
    sweeps: dict[tuple[str, str, str], dict[int, dict[int, float]]] = {}
    fixed_batch = len({record.cell.batch_size for record in records}) == 1
    for record in records:
        cell = record.cell
        if record.status is not Status.OK:
            continue
        for phase in PHASES:
            for name in ("peak_memory_bytes", "step_seconds"):
                value = record.measured(phase, name)
                if value is not None and (fixed_batch or name == "step_seconds"):
                    key = (record.ranking.entry, cell.architecture, f"{phase}.{name}")
                    sweep = sweeps.setdefault(key, {}).setdefault(cell.round, {})
                    sweep[cell.sequence_length] = value / cell.batch_size
    found = []
    for (line, architecture, measure), rounds in sorted(sweeps.items()):
        lengths = sorted(set.intersection(*(set(sweep) for sweep in rounds.values())))
        if len(lengths) >= 3:
            claim = _claim(architectures.get(architecture), measure)
            estimate = scaling_estimate(list(rounds.values()))
            found.append(_judge(line, measure, estimate, len(rounds), lengths, claim))
    return found


def ratios(
    records: Iterable[RecordSummary], baseline: Iterable[RecordSummary], tasks: Mapping[str, Task]
) -> list[Ratio]:
    """Compare each line and length with what it took in the baseline, round by round."""
    ours, theirs = (_by_round(part, tasks) for part in (records, baseline))
    found = []
    for key in sorted(ours.keys() & theirs.keys()):
        rounds = sorted(ours[key].keys() & theirs[key].keys())
        if rounds:
            pairs = [(ours[key][number], theirs[key][number]) for number in rounds]
            ratio = ratio_interval([one.value / other.value for one, other in pairs])
            apart = max(abs(one.started_at - other.started_at) for one, other in pairs)
            line, length, _, measure = key
            ends = (ratio.value, ratio.low, ratio.high, ratio.n)
            found.append(Ratio(line, length, measure, *ends, apart / timedelta(hours=1)))
    return found


@dataclass(frozen=True, slots=True)
class _Measured:
    value: float
    started_at: datetime


def _by_round(
    records: Iterable[RecordSummary], tasks: Mapping[str, Task]
) -> dict[tuple[str, int, int, str], dict[int, _Measured]]:
    """Return by line, length, batch and measure each round's figure."""
    found: dict[tuple[str, int, int, str], dict[int, _Measured]] = {}
    for record in records:
        cell = record.cell
        for measure in COMPARED:
            value = record.measured(*measure.split("."))
            if record.status is Status.OK and value:
                key = (record.ranking.entry, cell.sequence_length, cell.batch_size, measure)
                found.setdefault(key, {})[cell.round] = _Measured(value, record.started_at)
    return found


def _claim(architecture: Architecture | None, measure: str) -> str | None:
    """Return what an architecture claims of a measure, None where nobody knows it."""
    if architecture is None:
        return None
    time = measure.endswith("seconds")
    return architecture.claimed_time if time else architecture.claimed_memory


def _judge(
    line: str,
    measure: str,
    estimate: Estimate | None,
    rounds: int,
    lengths: Sequence[int],
    claim: str | None,
) -> Exponent:
    claimed = claimed_exponent(claim, lengths) if claim else None
    value, low, high = (estimate.value, estimate.low, estimate.high) if estimate else (None,) * 3
    contradicted = low is not None and claimed is not None and low > claimed + CLAIM_TOLERANCE
    return Exponent(line, measure, value, low, high, rounds, lengths, claim, claimed, contradicted)
