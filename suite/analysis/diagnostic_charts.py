"""The charts of diagnostics and of decoding, and their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from suite.analysis.comparison_key import ComparisonKey, grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.diagnostics import Diagnostic, state_bytes
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Estimate
from suite.analysis.reports import GroupedReport, grouped_reports
from suite.api import Mode

BY_PAIRS, BY_DEPTH = "by_pairs", "by_depth"
TOKEN_SECONDS, STATE_BYTES = "generation.step_seconds", "generation.state_bytes"

SCALED = "A scaled accuracy of 0 is that of a guess, and 1 is perfect"
SEEDS_ALONE = "Beyond the training length, intervals cover the seeds alone"


class ChartSection(StrEnum):
    """The sections of the page, in their order."""

    RECALL = "recall"
    STATES = "states"
    LENGTHS = "lengths"
    DEPTHS = "depths"
    DECODING = "decoding"


@dataclass(frozen=True, slots=True)
class ChartLine:
    """The figures of one entry by the place on the axis, and why it has none at other places.

    A line of a heat map is an evaluation length.
    """

    name: str
    figures: Mapping[str, Estimate]
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: what it draws against what, at a training length (0: decoding).

    `against` is "state_bytes", "pairs", "problem", "evaluation_length", "depth" or "context".
    `measure` is a cost if the chart is against the context, and a metric otherwise. `is_share` says
    that the measure goes up to 1. `entry` is set in heat maps alone. `note` says what the intervals
    of the chart leave out, and how many test examples there are. `guesses` has the score of a guess
    among the answers that an example offers, by place.
    """

    section: ChartSection
    title: str
    measure: str
    against: str
    key: ComparisonKey
    sequence_length: int
    lines: Sequence[ChartLine]
    entry: str = ""
    is_share: bool = False
    note: str = ""
    guesses: Mapping[str, float] = field(default_factory=dict)


def make_charts(
    diagnostics: Sequence[Diagnostic], comparisons: Sequence[Comparison]
) -> list[Chart]:
    """Return all charts, section by section.

    Every diagnostic with scores at evaluation lengths has a chart along the length.
    `comparisons` are in the order of preference: the first decoding of each form and batch size is
    drawn. The complete records of diagnostics are read.
    """
    found: list[Chart] = [*_problem_charts(diagnostics)]
    for diagnostic in diagnostics:
        reports = grouped_reports(diagnostic.comparison)
        by_length = grouped(reports, lambda report: report.sequence_length)
        for length, entries in diagnostic.by_length().items():
            found += _AtLength(diagnostic, length, entries).charts(by_length.get(length, []))
    seen = set()
    for comparison in comparisons:
        place = comparison.key.form, comparison.key.batch
        if comparison.key.mode is Mode.DECODE and place not in seen:
            seen.add(place)
            found += _decoding_charts(comparison)
    order = list(ChartSection)
    return sorted(found, key=lambda chart: order.index(chart.section))


def _by_group(
    reports: Sequence[GroupedReport], name: str
) -> dict[str, dict[int, dict[str, Estimate]]]:
    """Return the figures of a report by entry, length of the examples, and group.

    The report is that of the training length, and those at evaluation lengths.
    """
    found: dict[str, dict[int, dict[str, Estimate]]] = {}
    for report in reports:
        start, _, length = report.name.partition("_at_")
        if start == name:
            groups = {group: of[""] for group, of in report.figures.items() if "" in of}
            at = int(length or report.sequence_length)
            found.setdefault(report.entry, {})[at] = groups
    return {entry: dict(sorted(of.items())) for entry, of in found.items()}


def _num_examples(entries: Sequence[EntryAtLength], lengths: Iterable[int]) -> dict[int, int]:
    """Return the number of test examples, which all entries share, at each length."""
    found = {}
    for length in sorted(set(lengths)):
        numbers = (entry.num_examples_at(length) for entry in entries)
        if number := next((number for number in numbers if number), None):
            found[length] = number
    return found


def _groups_note(num_examples: Mapping[int, int]) -> str:
    """Return why the figures of groups have no intervals, and the number of test sequences."""
    why = (
        "There are no intervals: seeds alone are averaged, and records do not count the answers of "
        "a group"
    )
    listed = [f"{number:,} at length {length:,}" for length, number in num_examples.items()]
    return f"{why}. Test sequences: {', '.join(listed)}" if listed else why


@dataclass(frozen=True)
class _AtLength:
    """The entries of a diagnostic at one training length, and their charts."""

    diagnostic: Diagnostic
    length: int
    entries: Sequence[EntryAtLength]

    def charts(self, reports: Sequence[GroupedReport]) -> Iterator[Chart]:
        """Yield the charts of the length."""
        if by_pairs := _by_group(reports, BY_PAIRS):
            yield from self._states()
            yield from self._pairs(by_pairs)
        yield from self._lengths()
        for name, at_lengths in _by_group(reports, BY_DEPTH).items():
            yield self._depths(name, at_lengths)

    def chart(
        self,
        section: ChartSection,
        against: str,
        lines: Sequence[ChartLine],
        **facts: Any,
    ) -> Chart:
        """Return a chart of the metric of the diagnostic, with further facts."""
        diagnostic = self.diagnostic
        share = diagnostic.task.primary_metric.share
        facts = {"title": diagnostic.title, "is_share": share, **facts}
        return Chart(
            section=section, measure=diagnostic.metric.name, against=against, key=self.key,
            sequence_length=self.length, lines=lines, **facts,
        )  # fmt: skip

    @property
    def key(self) -> ComparisonKey:
        """The comparison of the diagnostic."""
        return self.diagnostic.comparison.key

    @property
    def divided_note(self) -> str:
        """The entries without intervals, because only some of their seeds solve the task."""
        parts = [
            f"{entry.name} {solved.num_solved} of {solved.num_seeds}"
            for entry in self.entries
            if self.diagnostic.is_divided(entry) and (solved := self.diagnostic.solved(entry))
        ]
        return f"Seeds that solve it, in place of an interval: {', '.join(parts)}" if parts else ""

    def _states(self) -> Iterator[Chart]:
        lines = []
        for entry in self.entries:
            size = state_bytes(entry)
            if size is None:
                lines.append(ChartLine(entry.name, {}, {"": "the bytes of its state are unknown"}))
            elif score := self.diagnostic.score(entry):
                lines.append(ChartLine(entry.name, {str(size): score}))
        if self.diagnostic.solved_at is not None and any(line.figures for line in lines):
            guess = self.diagnostic.guesses(self.entries, [self.length]).get(self.length)
            drawn = {} if guess is None else {at: guess for line in lines for at in line.figures}
            facts = {"note": self.divided_note, "guesses": drawn}
            yield self.chart(ChartSection.RECALL, "state_bytes", lines, **facts)

    def _pairs(
        self, by_pairs: Mapping[str, Mapping[int, Mapping[str, Estimate]]]
    ) -> Iterator[Chart]:
        """Yield the chart against the pairs, if several numbers of them share a length.

        Otherwise the chart against the length has the same figures.
        """
        lines = [
            ChartLine(
                name,
                {
                    f"{pairs} in {at:,}": one
                    for at, groups in of_entry.items()
                    for pairs, one in groups.items()
                },
            )
            for name, of_entry in by_pairs.items()
        ]
        if any(len(groups) > 1 for of_entry in by_pairs.values() for groups in of_entry.values()):
            lengths = [at for of_entry in by_pairs.values() for at in of_entry]
            note = _groups_note(_num_examples(self.entries, lengths))
            yield self.chart(ChartSection.RECALL, "pairs", lines, note=note)

    def _lengths(self) -> Iterator[Chart]:
        """Yield the chart along the evaluation length, which begins with the training length."""
        diagnostic, metric, task = self.diagnostic, self.diagnostic.metric, self.diagnostic.task
        lines = []
        for entry in self.entries:
            score = diagnostic.score(entry)
            figures = {str(self.length): score} if score else {}
            for at, one in diagnostic.scores_by_evaluation_length(entry).items():
                figures.setdefault(str(at), one)
            lines.append(ChartLine(entry.name, figures, entry.reasons_by_evaluation_length))
        is_scaled = metric != task.primary_metric
        if is_scaled or any(len(line.figures) > 1 or line.reasons for line in lines):
            section = ChartSection.STATES if is_scaled else ChartSection.LENGTHS
            notes = [SCALED] if is_scaled else []
            notes += [] if task.primary_metric.share else [SEEDS_ALONE]
            note = ". ".join(filter(None, [*notes, self.divided_note]))
            lengths = (int(at) for line in lines for at in line.figures)
            guesses = diagnostic.guesses(self.entries, lengths)
            drawn = {str(at): guess for at, guess in guesses.items()}
            facts = {"note": note, "guesses": drawn}
            yield self.chart(section, "evaluation_length", lines, **facts)

    def _depths(self, name: str, at_lengths: Mapping[int, Mapping[str, Estimate]]) -> Chart:
        lines = [ChartLine(str(at), groups) for at, groups in at_lengths.items()]
        num_examples = _num_examples(self.entries, at_lengths)
        note = _groups_note(num_examples)
        if guesses := self.diagnostic.guesses(self.entries, at_lengths):
            least, most = (f"{end:.3f}" for end in (min(guesses.values()), max(guesses.values())))
            span = least if least == most else f"{least} to {most}"
            note = f"{note}. A guess among the answers of an example scores {span}"
        return self.chart(ChartSection.DEPTHS, "depth", lines, entry=name, note=note)


def _problem_charts(diagnostics: Sequence[Diagnostic]) -> Iterator[Chart]:
    """Yield a chart of the scores by problem for each task with a scaled accuracy and several."""
    scaled = [
        _AtLength(diagnostic, length, entries)
        for diagnostic in diagnostics
        if diagnostic.metric != diagnostic.task.primary_metric
        for length, entries in diagnostic.by_length().items()
    ]
    by_place = grouped(scaled, lambda one: (one.key.task, one.key.split, one.length))
    for found in by_place.values():
        if len(found) < 2:
            continue
        figures: dict[str, dict[str, Estimate]] = {}
        for one in found:
            for entry in one.entries:
                if score := one.diagnostic.score(entry):
                    figures.setdefault(entry.name, {})[one.diagnostic.setting] = score
        divided = [(one.diagnostic.setting, one.divided_note) for one in found]
        facts = {
            "title": found[0].diagnostic.task.title,
            "note": ". ".join(f"{setting}: {note}" for setting, note in divided if note),
        }
        lines = [ChartLine(name, of_entry) for name, of_entry in sorted(figures.items())]
        yield found[0].chart(ChartSection.STATES, "problem", lines, **facts)


def _decoding_charts(comparison: Comparison) -> Iterator[Chart]:
    """Yield the time of a token and the bytes of the state against the context."""
    title = f"{str(comparison.key.form).replace('_', '-')}, {comparison.key.batch}"
    for measure in (TOKEN_SECONDS, STATE_BYTES):
        lines = []
        for name, of_entry in sorted(comparison.by_entry().items()):
            figures, reasons = {}, {}
            for entry in sorted(of_entry, key=lambda one: one.sequence_length):
                at = str(entry.sequence_length)
                if cost := entry.cost(measure):
                    figures[at] = cost
                    continue
                statuses = sorted(set(entry.statuses) - {"ok"})
                if reason := ", ".join(statuses) or entry.missing_cost_reason(measure):
                    reasons[at] = reason
            lines.append(ChartLine(name, figures, reasons))
        if any(line.figures for line in lines):
            yield Chart(ChartSection.DECODING, title, measure, "context", comparison.key, 0, lines)
