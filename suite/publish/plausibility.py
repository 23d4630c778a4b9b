"""Flags on final runs that are better than the published references make plausible."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from suite.analysis.aggregate import compare, parts_of
from suite.api import Status, Task
from suite.publish.frozen import outside_its_parts
from suite.records.naming import options_text
from suite.records.published import Folder, StoredRecord, is_final, read_record
from suite.records.schema import Record, RecordSummary

TOO_GOOD = 4.0
"""A score is flagged that many standard deviations of the references beyond the best reference."""
MIN_REFERENCES = 3


def flags(record: Record, entries: Iterable[StoredRecord], tasks: Mapping[str, Task]) -> list[str]:
    """Return in which respects a final run is implausibly good, compared with the references."""
    task = tasks.get(record.cell.task or "")
    if not is_final(record) or record.status is not Status.OK:
        return []
    if task is None:
        return [f"the task {record.cell.task} is unknown here"]
    metric = task.primary_metric
    sign = 1 if metric.higher_is_better else -1
    place = _place(record)
    references = [
        run
        for comparison in compare(entries)
        for point in comparison.points
        for run in point.runs
        if run.folder is Folder.PUBLISHED
        and run.record.status is Status.OK
        and _place(run.record) == place
    ]
    summaries = [entry.record for entry in references]
    values = [sign * value for r in summaries if (value := r.metric(metric.name)) is not None]
    value = record.metric(metric.name)
    if value is None:
        return [f"the test split has no {metric.name}"]
    found = [outside] if (outside := outside_its_parts(record, metric.name)) else []
    if len(values) < MIN_REFERENCES:
        few = f"{len(values)} references on this data and length: too few to compare with"
        return [*found, few]
    parts = parts_of(record, metric.name)
    counts = {len(parts_of(r, metric.name)) for r in summaries} - {0}
    if counts and len(parts) not in counts:
        found.append(f"the test split has {len(parts)} parts, that of the references {max(counts)}")
    spread = statistics.stdev(values)
    if sign * value > max(values) + TOO_GOOD * spread:
        found.append(
            f"test {metric.name} {value:.4g} lies more than {TOO_GOOD:g} standard deviations "
            f"beyond the best reference, {sign * max(values):.4g}"
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


def _place(record: RecordSummary) -> tuple[Any, ...]:
    """Return the task, its options, the data and the length: comparable curves share them."""
    cell, options = record.cell, options_text(record.ranking.task_options)
    return cell.task, options, record.fingerprint, cell.sequence_length
