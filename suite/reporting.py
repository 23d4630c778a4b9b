"""Records → the rows of a table, and scaling exponents: what `bench report` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from suite.contracts import PROTOCOL, Cell, Mode, Status
from suite.record import Record
from suite.statistics import (
    Estimate,
    Summary,
    claimed_exponent,
    scaling_estimate,
    summarize,
)

Figures = Mapping[str, Summary | None]

CLAIM_TOLERANCE = 0.15
"""Caches, the allocator and the clock bend a curve by so much without the algorithm's doing."""
PHASES = ("training", "inference")

REPEATED = ("seed", "round")


@dataclass(frozen=True, slots=True)
class Row:
    """The cells that differ only in seed and round: one line of a table.

    `figures` are over the good records; `statuses` counts all of them; `reasons` says, once each,
    why the others are not good.
    """

    cell: Cell
    figures: Figures
    statuses: Mapping[str, int]
    reasons: Sequence[str]
    noisy: int = 0
    """How many of the records were measured while others used the machine."""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        fields = asdict(self.cell)
        for name in REPEATED:
            del fields[name]
        figures = {name: asdict(value) if value else None for name, value in self.figures.items()}
        return {
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

    architecture: str
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
class Table:
    """Rows of one mode, task, source and setting; `metric` is what quality is read from."""

    title: str
    metric: str | None
    rows: Sequence[Row]
    exponents: Sequence[Exponent] = ()


def make_tables(
    records: Iterable[Record],
    metrics: Mapping[str, str],
    claims: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Table]:
    """Arrange records: a table for each setting, a row for each architecture and length.

    `metrics` gives each task's primary metric, `claims` each architecture's claimed cost by what
    is measured (`peak_memory_bytes`, `step_seconds`).
    """
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        if record.protocol == PROTOCOL:
            groups.setdefault(_setting(record.cell), []).append(record)
    tables = []
    for _, group in sorted(groups.items(), key=lambda item: str(item[0])):
        cell = group[0].cell
        metric = metrics.get(cell.task) if cell.task else None
        rows = _rows(group, metric)
        exponents = _exponents(group, claims or {}) if cell.mode is Mode.PROBE else ()
        tables.append(Table(_title(cell), metric, rows, exponents))
    return tables


def _setting(cell: Cell) -> tuple[Any, ...]:
    """Return what all rows of a table share."""
    fixed_batch = cell.batch_size if cell.mode is Mode.PROBE and cell.batch_size == 1 else None
    return (
        str(cell.mode),
        cell.task,
        cell.source,
        str(cell.form),
        cell.model_size,
        cell.budget,
        cell.precision,
        cell.backend,
        cell.threads,
        fixed_batch,
    )


def _title(cell: Cell) -> str:
    parts = [cell.task or "probe"]
    if cell.source:
        parts.append(cell.source)
    parts += [f"model size {cell.model_size}", str(cell.backend), cell.precision]
    parts.append(f"{cell.threads} thread{'s' if cell.threads > 1 else ''}")
    if cell.budget:
        parts.append(f"budget {cell.budget:,}")
    elif cell.batch_size == 1:
        parts.append("batch 1")
    return " · ".join(parts)


def _rows(records: Iterable[Record], metric: str | None) -> list[Row]:
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        cell = record.cell
        options = tuple(sorted((name, str(value)) for name, value in cell.options.items()))
        key = (cell.sequence_length, cell.architecture, cell.batch_size, options)
        groups.setdefault(key, []).append(record)
    return [_row(group, metric) for _, group in sorted(groups.items())]


def _row(records: Sequence[Record], metric: str | None) -> Row:
    good = [record for record in records if record.status is Status.OK]
    statuses: dict[str, int] = {}
    for record in records:
        statuses[str(record.status)] = statuses.get(str(record.status), 0) + 1
    figures: dict[str, Summary | None] = {}
    if metric:
        figures[f"test.{metric}"] = _summary(record.metric(metric) for record in good)
    for phase in PHASES:
        for name in ("tokens_per_second", "step_seconds", "peak_memory_bytes"):
            figures[f"{phase}.{name}"] = _summary(record.measured(phase, name) for record in good)
    reasons = sorted({record.reason for record in records if record.reason})
    noisy = sum(bool(record.details.get("noisy")) for record in good)
    return Row(records[0].cell, figures, statuses, reasons, noisy)


def _summary(values: Iterable[float | None]) -> Summary | None:
    return summarize([value for value in values if value is not None])


def _exponents(
    records: Sequence[Record], claims: Mapping[str, Mapping[str, str]]
) -> list[Exponent]:
    """Estimate the exponents of what one sequence costs, each round a sweep of its own.

    Time can be had at any batch, divided by it; only batch 1 says what memory a sequence takes.
    """
    sweeps: dict[tuple[str, str, str], dict[tuple[int, int], dict[int, float]]] = {}
    for record in records:
        cell = record.cell
        if record.status is not Status.OK:
            continue
        options = " ".join(f"{name}={value}" for name, value in sorted(cell.options.items()))
        for phase in PHASES:
            for name in ("peak_memory_bytes", "step_seconds"):
                value = record.measured(phase, name)
                if value is not None and (cell.batch_size == 1 or name == "step_seconds"):
                    key = (cell.architecture, options, f"{phase}.{name}")
                    repeat = cell.seed, cell.round
                    sweep = sweeps.setdefault(key, {}).setdefault(repeat, {})
                    sweep[cell.sequence_length] = value / cell.batch_size
    found = []
    for (architecture, options, measure), rounds in sorted(sweeps.items()):
        lengths = sorted(set.intersection(*(set(sweep) for sweep in rounds.values())))
        if len(lengths) >= 3:
            claim = claims.get(architecture, {}).get(measure.partition(".")[2])
            estimate = scaling_estimate(list(rounds.values()))
            name = f"{architecture} ({options})" if options else architecture
            found.append(_judge(name, measure, estimate, len(rounds), lengths, claim))
    return found


def _judge(
    architecture: str,
    measure: str,
    estimate: Estimate | None,
    rounds: int,
    lengths: Sequence[int],
    claim: str | None,
) -> Exponent:
    claimed = claimed_exponent(claim, lengths) if claim else None
    value, low, high = (estimate.value, estimate.low, estimate.high) if estimate else (None,) * 3
    contradicted = low is not None and claimed is not None and low > claimed + CLAIM_TOLERANCE
    return Exponent(
        architecture, measure, value, low, high, rounds, lengths, claim, claimed, contradicted
    )
