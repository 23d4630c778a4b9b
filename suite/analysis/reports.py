"""Reports of trainings by group of examples: means over seeds, for the pages that draw them.

A report with "by_" in its name ("by_type", "nats_by_position") maps each group to a number, or to
named numbers, as precision and recall of each entity type. The pages draw every such report. The
pseudo-values of the parts of the split are a report too.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength, parts_of
from suite.analysis.estimates import Estimate, mean_interval
from suite.api import Mode, Status
from suite.api.evaluation_lengths import BY_EVALUATION_LENGTH, is_reason
from suite.records.published import StoredRecord, read_reports
from suite.records.schema import RecordError

BY = "by_"
"""The part that the names of all reports by group have."""
BY_PART = "by_part"
"""The name of the report that has the metric's pseudo-value of each part of the split."""
Grouped = Mapping[str, Mapping[str, float]]
"""The figures of each group by name; a group with a single figure has the name ""."""


@dataclass(frozen=True, slots=True)
class GroupedReport:
    """A report of one entry at one length: the mean over seeds of each figure of each group.

    A figure that no seed reports is missing. An interval covers the choice of seeds alone, except
    that of a primary metric that is a share, by evaluation length. A share of each group has no
    interval: records do not count the examples of a group, and few examples leave equal seeds
    without a spread. `reasons` says by evaluation length why there are no figures, or why some
    seeds have none.
    """

    name: str
    entry: str
    sequence_length: int
    figures: Mapping[str, Mapping[str, Estimate]]
    reasons: Mapping[str, str] = field(default_factory=dict)


def grouped_reports(comparison: Comparison) -> list[GroupedReport]:
    """Return the reports by group of a comparison of trainings; none for probes.

    The complete records are read, because summaries have no reports. Records that have been removed
    meanwhile, and those of archives, which keep no reports, are left out.
    """
    if comparison.key.mode is not Mode.TRAIN:
        return []
    return [
        GroupedReport(name, entry.name, entry.sequence_length, figures, _reasons(entry, name))
        for entry in comparison.entries
        for name, figures in _of_entry(entry).items()
    ]


def samples_of(entry: EntryAtLength) -> list[Mapping[str, str]]:
    """Return the samples of a language model: those of the first seed that has any.

    A sample has its method, its prompt and its text. They are on validation, whatever the scored
    split is. The complete records are read.
    """
    for run in sorted(entry.runs, key=lambda run: run.record.repeat):
        if found := _read(run).get("validation", {}).get("samples"):
            return list(found)
    return []


def mean_figures(
    reports: Sequence[Grouped], shares: Collection[str] = ()
) -> dict[str, dict[str, Estimate]]:
    """Return the mean over seeds of each figure of each group, groups in their order.

    Groups that start with a number ("9-64") are sorted by it. The figures named in `shares` have no
    interval.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for report in reports:
        for group, figures in report.items():
            for name, value in figures.items():
                values.setdefault(group, {}).setdefault(name, []).append(value)
    return {
        group: {
            name: Estimate(statistics.fmean(of_name), None, None, len(of_name))
            if name in shares
            else mean_interval(of_name)
            for name, of_name in values[group].items()
        }
        for group in sorted(values, key=_number_of)
    }


def figures_by_group(report: object) -> Grouped:
    """Return the figures of a report by group; none if the report has another form.

    An evaluation length with a reason has none.
    """
    if not isinstance(report, Mapping):
        return {}
    found: dict[str, dict[str, float]] = {}
    for group, figures in report.items():
        if is_reason(figures):
            continue
        named = figures if isinstance(figures, Mapping) else {"": figures}
        if not all(_is_figure(value) for value in named.values()):
            return {}
        known = {str(name): value for name, value in named.items() if value is not None}
        if known:
            found[str(group)] = known
    return found


def _of_entry(entry: EntryAtLength) -> dict[str, dict[str, dict[str, Estimate]]]:
    by_name: dict[str, list[Grouped]] = {}
    for run in entry.runs:
        if run.record.status is Status.OK:
            for name, report in _reports_of(run, entry.split):
                by_name.setdefault(name, []).append(report)
    shares = ("", entry.metric.name) if entry.metric and entry.metric.share else ()
    found = {name: mean_figures(reports, shares) for name, reports in by_name.items()}
    found[BY_PART] = mean_figures(list(_by_part(entry)))  # pseudo-values may leave 0 to 1
    if entry.metric and (by_length := found.get(BY_EVALUATION_LENGTH)):
        for length, score in entry.by_evaluation_length.items():
            if not isinstance(score, str) and str(length) in by_length:
                by_length[str(length)][entry.metric.name] = score
    return {name: found[name] for name in found if found[name] or _reasons(entry, name)}


def _reasons(entry: EntryAtLength, name: str) -> dict[str, str]:
    """Return why the models of an entry, or those of some seeds, have no scores at some lengths."""
    if name != BY_EVALUATION_LENGTH:
        return {}
    return entry.reasons_by_evaluation_length


def _read(run: StoredRecord) -> Mapping[str, Mapping[str, Any]]:
    """Return the reports of a run by split; none if the record has been removed."""
    try:
        return read_reports(run)
    except (FileNotFoundError, RecordError):
        return {}


def _reports_of(run: StoredRecord, split: str) -> Iterator[tuple[str, Grouped]]:
    for name, report in dict(_read(run).get(split, {})).items():
        if BY in name and ((figures := figures_by_group(report)) or name == BY_EVALUATION_LENGTH):
            yield name, figures


def _by_part(entry: EntryAtLength) -> Iterator[Grouped]:
    """Yield what each part of the split adds to the primary metric, for each seed."""
    name = entry.metric.name if entry.metric else ""
    for record in entry.good:
        parts = enumerate(parts_of(record, name, entry.split), start=1)
        if known := {str(number): {name: value} for number, value in parts if value is not None}:
            yield known


def _is_figure(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _number_of(group: str) -> tuple[bool, int, str]:
    found = re.match(r"\d+", group)
    return found is None, int(found[0]) if found else 0, group
