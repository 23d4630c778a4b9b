"""Diagnostics: which entries solve a task with exact answers, how soon, and at what state.

A diagnostic is a task that says from which score on it is solved (`Task.solved_at`). Means mislead
there: 0.66 may be three seeds that each know two thirds, or two that solve the task and one at
chance. A row therefore has the share of seeds that solve the task, and the steps until then. The
mean has no interval if only some seeds solve the task: read the share instead.

The charts are found by what the tasks report, so that a new task needs no change here.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from suite.analysis.comparison_key import ComparisonKind, grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import MIN_REPEATS, Estimate, wilson_interval
from suite.api import DATA_OPTIONS, Metric, Status, Task, task_options
from suite.records.published import StoredRecord, read_validation_curve

SCALED_ACCURACY = "scaled_accuracy"
"""The metric that is 0 for a guess and 1 for exact answers. It is comparable between problems with
different numbers of answers."""


EFFECTIVE = 0.9
"""A model uses a length effectively if its score, a share, is above this value."""


class EffectiveLength(NamedTuple):
    """The longest evaluation length up to which the score stays above `EFFECTIVE`.

    `median` is that of the seeds, of an even number the lower one. A seed whose score is not above
    it at the training length has 0. `longest_tested` is the longest evaluation length.
    """

    median: int
    least: int
    most: int
    longest_tested: int

    def __str__(self) -> str:
        """Return the median and the range, as "1,024 (512 to ≥ 4,096)"."""
        median, least, most = (
            f"≥ {length:,}" if length == self.longest_tested else f"{length:,}"
            for length in (self.median, self.least, self.most)
        )
        return median if least == most else f"{median} ({least} to {most})"


@dataclass(frozen=True, slots=True)
class DiagnosticRow:
    """One entry at one training length of a diagnostic, over its seeds.

    `score` is the mean of the task's primary metric, and None without a completed seed. `note` says
    why other seeds are not completed. `median_steps` is the lower median of the steps until the
    validation curve reaches the threshold: infinite for a seed that never does, and None without
    any curve. `effective_length` is None if no evaluation length is longer than the training
    length. `state_bytes` are those of the decoding state of a sequence of the training length, as
    the architecture declares them.
    """

    entry: str
    sequence_length: int
    score: Estimate | None
    solved: Estimate | None
    median_steps: float | None
    effective_length: EffectiveLength | None
    state_bytes: int | None
    note: str


def solved_text(share: Estimate) -> str:
    """Return a share of seeds as "2 of 3"."""
    return f"{round(share.value * share.n)} of {share.n}"


def title_without_lengths(task: Task) -> str:
    """Return the title of a task without its usual lengths."""
    return task.title.partition(",")[0]


@dataclass(frozen=True)
class Diagnostic:
    """A comparison of a diagnostic task.

    A task without `solved_at` is here for its scores at evaluation lengths, and has no rows.
    `setting` has the options in which the diagnostics of the task differ: "parity", "pairs=4".
    """

    comparison: Comparison
    task: Task
    setting: str

    @property
    def metric(self) -> Metric:
        """The metric that the charts show: the scaled accuracy where there is one."""
        scaled = [metric for metric in self.task.other_metrics if metric.name == SCALED_ACCURACY]
        return next(iter(scaled), self.task.primary_metric)

    def score(self, entry: EntryAtLength) -> Estimate | None:
        """Return the mean of `metric` over the seeds of an entry."""
        return self._in_metric(self._shown(entry, entry.score)) if entry.score else None

    def scores_by_evaluation_length(self, entry: EntryAtLength) -> dict[int, Estimate]:
        """Return the mean of `metric` at the training length and then each evaluation length."""
        scores = {entry.sequence_length: self.score(entry)} | {
            length: self._in_metric(self._shown(entry, score))
            for length, score in entry.by_evaluation_length.items()
            if not isinstance(score, str) and length != entry.sequence_length
        }
        return {length: score for length, score in scores.items() if score}

    def guesses(self, entries: Sequence[EntryAtLength], lengths: Iterable[int]) -> dict[int, float]:
        """Return the score of a guess among the answers of an example, by length.

        It is empty where the task names none, or where another metric is drawn.
        """
        record = next((record for entry in entries for record in entry.good), None)
        if record is None or self.metric != self.task.primary_metric:
            return {}
        options = task_options(self.task, record.cell.options)
        guesses = {length: self.task.guess(length, options) for length in sorted(set(lengths))}
        return {length: guess for length, guess in guesses.items() if guess is not None}

    def solved(self, entry: EntryAtLength) -> Estimate | None:
        """Return the share of the seeds of an entry that solve the task, with Wilson's interval.

        The primary metric of each seed at the training length decides. None means that the task
        has no `solved_at`, or that no seed is completed.
        """
        values = entry.scores().by_seed.values()
        if self.task.solved_at is None or not values:
            return None
        n = len(values)
        share = sum(map(self._reaches, values)) / n
        low, high = wilson_interval(share, n) if n >= MIN_REPEATS else (None, None)
        return Estimate(share, low, high, n)

    def _shown(self, entry: EntryAtLength, estimate: Estimate) -> Estimate:
        """Return an estimate; without an interval if only some seeds solve the task."""
        solved = self.solved(entry)
        is_divided = solved is not None and 0 < solved.value < 1
        return Estimate(estimate.value, n=estimate.n) if is_divided else estimate

    def _in_metric(self, estimate: Estimate) -> Estimate | None:
        """Return an estimate of the primary metric in `metric`, a line in the primary metric.

        None means that no seed tells the slope of the line.
        """
        if self.metric == self.task.primary_metric:
            return estimate
        slope = self._slope
        if slope is None:
            return Estimate(1.0, n=estimate.n) if estimate.value == 1 else None
        value = 1 - slope * (1 - estimate.value)
        if estimate.ends is None:
            return Estimate(value, n=estimate.n)
        low, high = (1 - slope * (1 - end) for end in estimate.ends)
        return Estimate(value, low, high, estimate.n)

    @functools.cached_property
    def _slope(self) -> float | None:
        """The change of the scaled accuracy by that of the accuracy; None if every seed has 1."""
        for entry in self.comparison.entries:
            for record in entry.good:
                accuracy = record.metric(self.task.primary_metric.name, entry.split)
                scaled = record.metric(self.metric.name, entry.split)
                if accuracy is not None and scaled is not None and accuracy < 1:
                    return (1 - scaled) / (1 - accuracy)
        return None

    @property
    def title(self) -> str:
        """The title of the task without its usual lengths, and the setting."""
        return ": ".join(filter(None, (title_without_lengths(self.task), self.setting)))

    def rows(self) -> list[DiagnosticRow]:
        """Return a row for each entry and training length, the best score first."""
        if self.task.solved_at is None:
            return []
        rows = map(self._row, self.comparison.entries)

        def order(row: DiagnosticRow) -> tuple[int, float, str]:
            score = row.score.value if row.score else -math.inf
            return row.sequence_length, -score, row.entry

        return sorted(rows, key=order)

    def by_length(self) -> dict[int, list[EntryAtLength]]:
        """Return the entries with a score by training length."""
        scored = filter(self.score, self.comparison.entries)
        return dict(sorted(grouped(scored, lambda entry: entry.sequence_length).items()))

    def _reaches(self, value: float) -> bool:
        return self.task.solved_at is not None and value >= self.task.solved_at

    def _row(self, entry: EntryAtLength) -> DiagnosticRow:
        steps = [self._steps(run) for run in entry.runs if run.record.status is Status.OK]
        known = [number for number in steps if number is not None]
        return DiagnosticRow(
            entry=entry.name,
            sequence_length=entry.sequence_length,
            score=self._shown(entry, entry.score) if entry.score else None,
            solved=self.solved(entry),
            median_steps=statistics.median_low(known) if known else None,
            effective_length=effective_length(entry),
            state_bytes=state_bytes(entry),
            note="; ".join(entry.failures),
        )

    def _steps(self, run: StoredRecord) -> float | None:
        """Return the steps until a run reaches the threshold on validation; infinite if never.

        A curve is along the tokens seen, which are taken to grow evenly with the steps. None means
        that there is no curve.
        """
        curve = read_validation_curve(run, self.task.primary_metric.name)
        if curve is None:
            return None
        for tokens, value in zip(curve["tokens"], curve["values"], strict=True):
            if value is not None and self._reaches(value):
                return float(round(run.record.cell.steps * tokens / curve["tokens"][-1]))
        return math.inf


ABILITIES = {"recall": "associative_recall", "state": "state_tracking"}
"""The task that shows each ability that a reader may ask for."""


class Ability(NamedTuple):
    """Whether an entry solves the diagnostics of an ability, and a text that says how."""

    solves: bool
    text: str


def abilities(diagnostics: Sequence[Diagnostic]) -> dict[str, dict[str, Ability]]:
    """Return by ability and entry what the diagnostics say, at the longest training length of each.

    An entry has an ability if at least half of its seeds solve each setting of the task.
    """
    found: dict[str, dict[str, Ability]] = {}
    for ability, task in ABILITIES.items():
        shares: dict[str, list[tuple[float, str]]] = {}
        for diagnostic in diagnostics:
            if diagnostic.comparison.key.task != task:
                continue
            # The rows are in order of their length: the longest one stays.
            longest = {
                row.entry: (row.solved, row.sequence_length)
                for row in diagnostic.rows()
                if row.solved
            }
            for name, (share, length) in longest.items():
                solved = f"{solved_text(share)} seeds"
                text = f"{solved} solve {diagnostic.title} at length {length:,}"
                shares.setdefault(name, []).append((share.value, text))
        found[ability] = {
            name: Ability(all(share >= 0.5 for share, _ in own), "; ".join(t for _, t in own))
            for name, own in shares.items()
        }
    return found


def state_bytes(entry: EntryAtLength) -> int | None:
    """Return the bytes of the decoding state that some seed of an entry states."""
    sizes = (record.details.get("declared_state_bytes") for record in entry.good)
    return next((size for size in sizes if isinstance(size, int)), None)


def effective_length(entry: EntryAtLength) -> EffectiveLength | None:
    """Return the effective length over the seeds; None if no longer length was evaluated."""
    scores = entry.seeds_by_evaluation_length
    longer = [length for length in scores if length > entry.sequence_length]

    def of_seed(seed: int, score: float) -> int:
        effective = 0
        at_longer = [(length, scores[length].get(seed, "")) for length in longer]
        for length, value in [(entry.sequence_length, score), *at_longer]:
            if isinstance(value, str) or value <= EFFECTIVE:
                break
            effective = length
        return effective

    lengths = [of_seed(seed, score) for seed, score in entry.scores().by_seed.items()]
    if not lengths or not longer:
        return None
    return EffectiveLength(statistics.median_low(lengths), min(lengths), max(lengths), longer[-1])


def find_diagnostics(
    comparisons: Sequence[Comparison], tasks: Mapping[str, Task]
) -> list[Diagnostic]:
    """Return the first comparison of each diagnostic task and its options, by task and setting.

    `comparisons` are in the order of preference. One without a score is left out, and so are the
    trials of a task with final runs. A comparison of another task is here if it has scores at
    evaluation lengths.
    """
    by_task = grouped(comparisons, lambda comparison: comparison.key.task)
    diagnostics = []
    for name, task in sorted(tasks.items()):
        scored = [
            comparison
            for comparison in by_task.get(name, ())
            if any(
                entry.score if task.solved_at is not None else entry.by_evaluation_length
                for entry in comparison.entries
            )
        ]
        finals = [each for each in scored if each.key.kind is ComparisonKind.FINAL]
        by_options = grouped(finals or scored, lambda comparison: comparison.key.task_options)
        first = [same[0] for same in by_options.values()]
        for setting, comparison in _by_setting(first, task).items():
            diagnostics.append(Diagnostic(comparison, task, setting))
    return diagnostics


def _by_setting(comparisons: Sequence[Comparison], task: Task) -> dict[str, Comparison]:
    """Return comparisons of a task by the options in which they differ, in the order of these.

    Text values stand alone. Other values follow the name of their option.
    """
    stated = [comparison.records[0].ranking.task_options for comparison in comparisons]
    options = [{**task.options, **DATA_OPTIONS, **own} for own in stated]
    differing = [
        name
        for name in sorted({name for own in stated for name in own})
        if any(values.get(name) != options[0].get(name) for values in options)
    ]
    settings = [[values.get(name) for name in differing] for values in options]

    def order(item: tuple[list[Any], Comparison]) -> list[tuple[bool, bool, Any]]:
        return [(value is None, isinstance(value, str), value) for value in item[0]]

    def text(values: list[Any]) -> str:
        return ", ".join(
            value if isinstance(value, str) else f"{name}={value}"
            for name, value in zip(differing, values, strict=True)
        )

    ordered = sorted(zip(settings, comparisons, strict=True), key=order)
    return {text(values): comparison for values, comparison in ordered}
