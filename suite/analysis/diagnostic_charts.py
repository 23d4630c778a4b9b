"""The charts of diagnostics and of decoding, and their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from suite.analysis.comparison_key import ComparisonKey, grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.diagnostics import Diagnostic, solved_text, state_bytes
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Estimate
from suite.analysis.reports import GroupedReport, grouped_reports
from suite.api import Mode

BY_PAIRS, BY_DEPTH = "by_pairs", "by_depth"
TOKEN_SECONDS, STATE_BYTES = "generation.step_seconds", "generation.state_bytes"

SCALED = "A scaled accuracy of 0 is that of a guess, and 1 is perfect"
SEEDS_ALONE = "Beyond the training length, intervals cover the seeds alone"
NO_INTERVALS = (
    "There are no intervals: seeds alone are averaged, and records do not count the answers of a "
    "group"
)


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
    that the measure goes up to 1. `entry` is set in heat maps alone. `guesses` has the score of a
    guess among the answers that an example offers, by place.
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
    """Return all charts, section by section. The complete records of diagnostics are read.

    `comparisons` are in the order of preference: the first decoding of each form and batch size is
    drawn.
    """
    charts = [*_problem_charts(diagnostics)]
    for diagnostic in diagnostics:
        reports = grouped_reports(diagnostic.comparison)
        by_length = grouped(reports, lambda report: report.sequence_length)
        for length, entries in diagnostic.by_length().items():
            charts += _AtLength(diagnostic, length, entries).charts(by_length.get(length, []))
    decodings = [comparison for comparison in comparisons if comparison.key.mode is Mode.DECODE]
    for alike in grouped(decodings, lambda each: (each.key.form, each.key.batch)).values():
        charts += _decoding_charts(alike[0])
    order = list(ChartSection)
    return sorted(charts, key=lambda chart: order.index(chart.section))


def _by_group(
    reports: Sequence[GroupedReport], name: str
) -> dict[str, dict[int, dict[str, Estimate]]]:
    """Return the figures of a report by entry, length of the examples, and group."""
    by_entry: dict[str, dict[int, dict[str, Estimate]]] = {}
    for report in reports:
        start, _, length = report.name.partition("_at_")
        if start == name:
            groups = {group: named[""] for group, named in report.figures.items() if "" in named}
            evaluated = int(length or report.sequence_length)
            by_entry.setdefault(report.entry, {})[evaluated] = groups
    return {entry: dict(sorted(lengths.items())) for entry, lengths in by_entry.items()}


@dataclass(frozen=True)
class _AtLength:
    diagnostic: Diagnostic
    length: int
    entries: Sequence[EntryAtLength]

    def charts(self, reports: Sequence[GroupedReport]) -> Iterator[Chart]:
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
        title: str = "",
        **facts: Any,
    ) -> Chart:
        of = self.diagnostic
        what = section, title or of.title, of.metric.name, against
        share = of.task.primary_metric.share
        return Chart(*what, of.comparison.key, self.length, lines, is_share=share, **facts)

    @property
    def divided_note(self) -> str:
        """The entries without intervals, because only some of their seeds solve the task."""
        parts = [
            f"{entry.name} {solved_text(solved)}"
            for entry in self.entries
            if (solved := self.diagnostic.solved(entry)) and 0 < solved.value < 1
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
        if self.diagnostic.task.solved_at is not None and any(line.figures for line in lines):
            guess = self.diagnostic.guesses(self.entries, [self.length]).get(self.length)
            sizes = [size for line in lines for size in line.figures]
            guesses = {} if guess is None else dict.fromkeys(sizes, guess)
            note = self.divided_note
            yield self.chart(ChartSection.RECALL, "state_bytes", lines, note=note, guesses=guesses)

    def _pairs(
        self, by_pairs: Mapping[str, Mapping[int, Mapping[str, Estimate]]]
    ) -> Iterator[Chart]:
        """Yield the chart against the pairs, if several numbers of them share a length."""
        lines = [
            ChartLine(
                name,
                {
                    f"{pairs} in {length:,}": figure
                    for length, groups in lengths.items()
                    for pairs, figure in groups.items()
                },
            )
            for name, lengths in by_pairs.items()
        ]
        if any(len(groups) > 1 for lengths in by_pairs.values() for groups in lengths.values()):
            note = self._groups_note(length for lengths in by_pairs.values() for length in lengths)
            yield self.chart(ChartSection.RECALL, "pairs", lines, note=note)

    def _lengths(self) -> Iterator[Chart]:
        """Yield the chart along the evaluation length, which begins with the training length."""
        diagnostic, task = self.diagnostic, self.diagnostic.task
        lines = []
        for entry in self.entries:
            scores = diagnostic.scores_by_evaluation_length(entry)
            figures = {str(length): score for length, score in scores.items()}
            lines.append(ChartLine(entry.name, figures, entry.reasons_by_evaluation_length))
        is_scaled = diagnostic.metric != task.primary_metric
        if is_scaled or any(len(line.figures) > 1 or line.reasons for line in lines):
            section = ChartSection.STATES if is_scaled else ChartSection.LENGTHS
            notes = [SCALED] if is_scaled else []
            notes += [] if task.primary_metric.share else [SEEDS_ALONE]
            note = ". ".join(filter(None, [*notes, self.divided_note]))
            lengths = (int(length) for line in lines for length in line.figures)
            found = diagnostic.guesses(self.entries, lengths)
            guesses = {str(length): guess for length, guess in found.items()}
            yield self.chart(section, "evaluation_length", lines, note=note, guesses=guesses)

    def _depths(self, name: str, at_lengths: Mapping[int, Mapping[str, Estimate]]) -> Chart:
        lines = [ChartLine(str(length), groups) for length, groups in at_lengths.items()]
        note = self._groups_note(at_lengths)
        if guesses := self.diagnostic.guesses(self.entries, at_lengths):
            ends = dict.fromkeys(f"{end(guesses.values()):.3f}" for end in (min, max))
            note = f"{note}. A guess among the answers of an example scores {' to '.join(ends)}"
        return self.chart(ChartSection.DEPTHS, "depth", lines, entry=name, note=note)

    def _groups_note(self, lengths: Iterable[int]) -> str:
        """Return why groups have no intervals, and the number of test sequences of all entries."""
        counts = []
        for length in sorted(set(lengths)):
            numbers = (entry.num_examples_at(length) for entry in self.entries)
            if number := next(filter(None, numbers), None):
                counts.append(f"{number:,} at length {length:,}")
        return f"{NO_INTERVALS}. Test sequences: {', '.join(counts)}" if counts else NO_INTERVALS


def _problem_charts(diagnostics: Sequence[Diagnostic]) -> Iterator[Chart]:
    """Yield a chart of the scores by problem for each task with a scaled accuracy and several."""
    scaled = [
        _AtLength(diagnostic, length, entries)
        for diagnostic in diagnostics
        if diagnostic.metric != diagnostic.task.primary_metric
        for length, entries in diagnostic.by_length().items()
    ]

    def place(part: _AtLength) -> tuple[str, str, int]:
        key = part.diagnostic.comparison.key
        return key.task, key.split, part.length

    for parts in grouped(scaled, place).values():
        if len(parts) < 2:
            continue
        figures: dict[str, dict[str, Estimate]] = {}
        for part in parts:
            for entry in part.entries:
                if score := part.diagnostic.score(entry):
                    figures.setdefault(entry.name, {})[part.diagnostic.setting] = score
        divided = [(part.diagnostic.setting, part.divided_note) for part in parts]
        title = parts[0].diagnostic.task.title
        note = ". ".join(f"{setting}: {note}" for setting, note in divided if note)
        lines = [ChartLine(name, of_entry) for name, of_entry in sorted(figures.items())]
        yield parts[0].chart(ChartSection.STATES, "problem", lines, title=title, note=note)


def _decoding_charts(comparison: Comparison) -> Iterator[Chart]:
    title = f"{comparison.key.form_text}, {comparison.key.batch}"
    for measure in (TOKEN_SECONDS, STATE_BYTES):
        lines = []
        for name, entries in sorted(comparison.by_entry().items()):
            figures, reasons = {}, {}
            for entry in sorted(entries, key=lambda entry: entry.sequence_length):
                context, failures = str(entry.sequence_length), set(entry.statuses) - {"ok"}
                if cost := entry.shown_cost(measure):
                    figures[context] = cost
                elif reason := ", ".join(sorted(failures)) or entry.missing_cost_reason(measure):
                    reasons[context] = reason
            lines.append(ChartLine(name, figures, reasons))
        if any(line.figures for line in lines):
            yield Chart(ChartSection.DECODING, title, measure, "context", comparison.key, 0, lines)
