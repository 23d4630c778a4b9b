"""Flags on final runs that are better than the published references make plausible."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from suite.analysis.comparisons import compare
from suite.analysis.entry_at_length import parts_of
from suite.api import Status, Task
from suite.publish.frozen import outside_its_parts
from suite.records.naming import options_text
from suite.records.published import StoredRecord, is_final, read_record
from suite.records.schema import Record, RecordSummary

TOO_GOOD = 4.0
"""The limit of a score beyond the best reference, in standard deviations of a seed."""
MIN_FREEDOM = 2
"""The fewest degrees of freedom of the standard deviation over seeds."""


class References:
    """The published runs that stand, with which submitted final runs are compared."""

    def __init__(self, entries: Iterable[StoredRecord]) -> None:
        self.entries = entries

    def of(self, record: RecordSummary) -> Sequence[StoredRecord]:
        """Return the references on the data of a record, at its length, size and steps."""
        return self._by_place.get(_place(record), ())

    @cached_property
    def _by_place(self) -> Mapping[tuple[Any, ...], Sequence[StoredRecord]]:
        found: dict[tuple[Any, ...], list[StoredRecord]] = {}
        for comparison in compare(self.entries):
            for run in (run for point in comparison.entries for run in point.runs):
                if run.record.status is Status.OK:
                    found.setdefault(_place(run.record), []).append(run)
        return found


def flags(record: Record, known: References, tasks: Mapping[str, Task]) -> list[str]:
    """Return in which respects a final run is implausibly good, compared with the references."""
    if not is_final(record) or record.status is not Status.OK:
        return []
    task = tasks.get(record.cell.task or "")
    if task is None:
        return [f"the task {record.cell.task} is unknown here"]
    metric = task.primary_metric
    sign = 1 if metric.higher_is_better else -1
    references = known.of(record)
    by_entry: dict[str, list[float]] = {}
    for entry in references:
        if (of_reference := entry.record.metric(metric.name)) is not None:
            by_entry.setdefault(entry.record.ranking.entry, []).append(sign * of_reference)
    value = record.metric(metric.name)
    if value is None:
        return [f"the test split has no {metric.name}"]
    found = [outside] if (outside := outside_its_parts(record, metric.name)) else []
    if before := record.details.get("earlier_runs", {}).get(Status.OK):
        runs = f"{before} earlier run{'s' * (before > 1)}"
        found.append(f"{runs} of the cell in the same home ended well: say why it ran again")
    deviation = _deviation_of_seeds(list(by_entry.values()))
    if deviation is None:
        few = f"{len(references)} references on this data and length: too few to compare with"
        return [*found, few]
    parts = parts_of(record, metric.name)
    counts = {len(parts_of(entry.record, metric.name)) for entry in references} - {0}
    if counts and len(parts) not in counts:
        found.append(f"the test split has {len(parts)} parts, that of the references {max(counts)}")
    # The entry's own references, if it has any: it may be far behind the best of all.
    own = by_entry.get(record.ranking.entry)
    best = max(own or (max(values) for values in by_entry.values()))
    if sign * value > best + TOO_GOOD * deviation:
        whose = f" of {record.ranking.entry}" if own else ""
        found.append(
            f"test {metric.name} {value:.4g} lies more than {TOO_GOOD:g} standard deviations "
            f"of a seed beyond the best reference{whose}, {sign * best:.4g}"
        )
    name = f"validation_{metric.name}"
    curve = record.curves.get(name)
    # A summary has no curves, so the references' files are read.
    curves = [read_record(entry.address).curves.get(name) for entry in references]
    ends = [
        sign * of_reference.values[-1]
        for of_reference in curves
        if of_reference and of_reference.values[-1] is not None
    ]
    if curve is None:
        found.append("it has no validation curve")
    elif len(curve.values) > 1 and curve.values[0] is not None and ends:
        share = curve.tokens[0] / curve.tokens[-1]
        if sign * curve.values[0] > max(ends):
            found.append(
                f"after {share:.0%} of its budget it is better than every reference at its end"
            )
    return found


def _deviation_of_seeds(entries: Sequence[Sequence[float]]) -> float | None:
    """Return the standard deviation over the seeds of an entry, pooled over entries.

    None where the entries have too few seeds.
    """
    freedom = sum(len(values) - 1 for values in entries)
    if freedom < MIN_FREEDOM:
        return None
    means = [statistics.fmean(values) for values in entries]
    squares = [
        (value - mean) ** 2 for values, mean in zip(entries, means, strict=True) for value in values
    ]
    return math.sqrt(math.fsum(squares) / freedom)


def _place(record: RecordSummary) -> tuple[Any, ...]:
    """Return what comparable scores and curves share: task, options, data, length and budget."""
    cell, options = record.cell, options_text(record.ranking.task_options)
    budget = cell.model_size, cell.steps
    return cell.task, options, record.fingerprint, cell.sequence_length, *budget
