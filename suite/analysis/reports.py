"""Reports of trainings by group of examples: means over seeds, for the pages that draw them.

A report with "by_" in its name ("by_type", "nats_by_position") maps each group to a number, or to
named numbers, as precision and recall of each entity type. The pages draw every such report, but
of several by the same groups only that of the metric, where there is one. The pseudo-values of the
parts of the split are a report too.
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
from suite.records.published import StoredRecord, read_detail
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

    An interval covers the choice of seeds alone, except that of a primary metric that is a share,
    by evaluation length. A share of each group has no interval: records do not count the examples
    of a group. `reasons` says by evaluation length why some seeds have no figures.
    """

    name: str
    entry: str
    sequence_length: int
    figures: Mapping[str, Mapping[str, Estimate]]
    reasons: Mapping[str, str] = field(default_factory=dict)


def grouped_reports(comparison: Comparison) -> list[GroupedReport]:
    """Return the reports by group of a comparison of trainings; none for probes.

    The complete records are read. Archives keep no reports.
    """
    if comparison.key.mode is not Mode.TRAIN:
        return []
    return [report for entry in comparison.entries for report in _of_entry(entry)]


def samples_of(entry: EntryAtLength) -> list[Mapping[str, str]]:
    """Return the samples of a language model on validation: those of the first seed that has any.

    The complete records are read.
    """
    runs = sorted(entry.runs, key=lambda run: run.record.repeat)
    samples = (_read(run).get("validation", {}).get("samples") for run in runs)
    return list(next(filter(None, samples), ()))


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
            name: Estimate(statistics.fmean(of_name), n=len(of_name))
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
    groups: dict[str, dict[str, float]] = {}
    for group, figures in report.items():
        if is_reason(figures):
            continue
        named = figures if isinstance(figures, Mapping) else {"": figures}
        if not all(type(value) in (int, float, type(None)) for value in named.values()):
            return {}
        known = {str(name): value for name, value in named.items() if value is not None}
        if known:
            groups[str(group)] = known
    return groups


def _of_entry(entry: EntryAtLength) -> Iterator[GroupedReport]:
    metric = entry.metric.name if entry.metric else ""
    by_name: dict[str, list[Grouped]] = {}
    for run in entry.runs:
        reports = _read(run) if run.record.status is Status.OK else {}
        for name, report in dict(reports.get(entry.split, {})).items():
            figures = figures_by_group(report)
            if BY in name and (figures or name == BY_EVALUATION_LENGTH):
                by_name.setdefault(name, []).append(figures)
    shares = ("", metric) if entry.metric and entry.metric.share else ()
    means = {name: mean_figures(reports, shares) for name, reports in by_name.items()}
    # What each part of the split adds to the metric; pseudo-values may leave 0 to 1.
    means[BY_PART] = mean_figures(
        [
            {
                str(number): {metric: value}
                for number, value in enumerate(parts_of(record, metric, entry.split), start=1)
                if value is not None
            }
            for record in entry.good
        ]
    )
    for length, score in entry.by_evaluation_length.items():
        of_length = means.get(BY_EVALUATION_LENGTH, {}).get(str(length))
        if of_length and not isinstance(score, str):
            of_length[metric] = score
    for name, groups in means.items():
        if (own := f"{metric}_{name[name.index(BY) :]}") in means and name != own:
            continue
        reasons = entry.reasons_by_evaluation_length if name == BY_EVALUATION_LENGTH else {}
        if groups or reasons:
            yield GroupedReport(name, entry.name, entry.sequence_length, groups, reasons)


def _read(run: StoredRecord) -> Mapping[str, Mapping[str, Any]]:
    try:
        return read_detail(run).reports
    except (FileNotFoundError, RecordError):
        return {}


def _number_of(group: str) -> tuple[bool, int, str]:
    number = re.match(r"\d+", group)
    return number is None, int(number[0]) if number else 0, group
