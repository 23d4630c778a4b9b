"""Comparisons → boards: what is ranked together, and the rows. Nothing is hidden."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, TypeVar

from suite.analysis.comparison_key import ComparisonKey, grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import OTHER_SESSION, EntryAtLength, parts_of
from suite.analysis.estimates import MIN_REPEATS, Estimate, Figure, exponential
from suite.analysis.ranking import Ranked, Ranking, Scores, only_certain, rank
from suite.analysis.sessions import CostSession
from suite.api import Metric, Mode, Stage, Status, Task, Track
from suite.records.benchmark_sections import TaskSettings
from suite.records.benchmarks import Benchmark
from suite.records.measures import RANKED, is_cost, metric_of
from suite.records.naming import options_text
from suite.records.options import listed_options

Place = TypeVar("Place")
BASELINE = "vanilla"
"""The entry whose number of parameters the others share, and whose costs count as 1."""
PARITY = 0.1
"""The largest relative difference in mixing parameters that needs no note."""
TOO_NOISY = "varies too much to be separated from the best of its rank"
NO_COST = {
    OTHER_SESSION: "measured in another session",
    "not trained": "not trained",
    "too few steps": "too few steps",
}
"""The notes of entries without a cost, by the reason; the note of any other is `DISTURBED`."""
DISTURBED = "disturbed: other programs used the machine in every run"
NOT_CHECKED = "the conformance kit did not check its code"
UNKNOWN = "conformance unknown"
UNDISTURBED = "scored without disturbance"
"""The note of an entry whose methods disturb test examples: its own score is that of the model."""


@dataclass(frozen=True)
class Row(EntryAtLength):
    """An entry at a length as a row of a board or of a table.

    Without a rank, `note` gives the reason. `estimate` is the score, or the figure of the cost that
    the board ranks by. `detectable_difference` is the smallest difference to the leader of the rank
    that the board would have separated, for costs the logarithm of a ratio. The leader has none.
    """

    rank: int | None = None
    estimate: Estimate | None = None
    detectable_difference: float | None = None
    note: str = ""
    samples: Sequence[Mapping[str, str]] = ()

    @classmethod
    def of(cls, entry: EntryAtLength, **facts: object) -> Row:
        """Return the row of an entry."""
        own = {field.name: getattr(entry, field.name) for field in fields(EntryAtLength)}
        return cls(**{**own, **facts})

    @property
    def entry(self) -> str:
        """The name of the entry."""
        return self.name

    @property
    def footnotes(self) -> list[str]:
        """The notes of the row, one by one."""
        return list(filter(None, self.note.split("; ")))

    @property
    def sessions(self) -> int:
        """The number of sessions that measured the cost."""
        return self.estimate.sessions if isinstance(self.estimate, Figure) else 1

    @property
    def between_sessions(self) -> float | None:
        """The standard deviation of the logarithms of the means of the sessions."""
        return self.estimate.between_sessions if isinstance(self.estimate, Figure) else None


@dataclass(frozen=True, slots=True)
class Board:
    """Rows that may be ranked together: one comparison, one length, one measure.

    `fingerprint` is that of the data of all rows; empty for costs.
    `detectable_difference` is the difference to the leader that the board would have separated for
    the median entry; for costs it is the logarithm of a ratio. All costs are of `session`.
    """

    key: ComparisonKey
    sequence_length: int
    batch_size: int
    metric: Metric
    rows: Sequence[Row]
    detectable_difference: float | None = None
    session: CostSession | None = None
    fingerprint: str = ""

    @property
    def valid(self) -> list[Row]:
        """The rows that are not superseded."""
        return [row for row in self.rows if not row.superseded_by]

    @property
    def ranked(self) -> dict[str, Row]:
        """The rows with a rank by entry, the best first."""
        return {row.entry: row for row in self.valid if row.rank is not None}

    @property
    def detectable(self) -> float | None:
        """`detectable_difference` in the metric's unit, or as a ratio for costs."""
        return self.in_unit(self.detectable_difference)

    def in_unit(self, difference: float | None) -> float | None:
        """Return a difference of the board in the metric's unit, or as a ratio for costs."""
        if difference is None or not is_cost(self.metric.name):
            return difference
        return exponential(Estimate(difference)).value


def rank_comparisons(comparisons: Iterable[Comparison]) -> list[Board]:
    """Return a board for each comparison, length, batch size and measure.

    Unsupported cells have no row, because they are not results.
    """
    boards = []
    for comparison in comparisons:
        key = comparison.key
        all_entries = [*comparison.entries, *comparison.former]
        entries = [part for entry in all_entries if (part := _supported(entry)).runs]
        by_place = grouped(entries, lambda entry: entry.place)
        scores = [comparison.metric] if comparison.metric else []
        metrics = [metric_of(cost) for cost in RANKED[key.mode]] or scores
        for (length, batch_size), of_place in sorted(by_place.items()):
            current = [entry for entry in of_place if not entry.superseded_by]
            session = current[0].session if current else comparison.session
            records = (record for entry in current for record in entry.records)
            data = next((record.fingerprint for record in records if record.fingerprint), "")
            for metric in metrics:
                rows, detectable = _rows(current, metric, key)
                rows += [
                    Row.of(entry, estimate=_estimate(entry, metric))
                    for entry in of_place
                    if entry.superseded_by
                ]
                if any(shown_estimate(row, metric) for row in rows):
                    place = key, length, batch_size, metric
                    boards.append(Board(*place, rows, detectable, session, data))
    return boards


def _supported(entry: EntryAtLength) -> EntryAtLength:
    runs = [run for run in entry.runs if run.record.status is not Status.UNSUPPORTED]
    return entry if len(runs) == len(entry.runs) else replace(entry, runs=runs)


def _estimate(entry: EntryAtLength, metric: Metric) -> Figure | None:
    return entry.cost(metric.name) if is_cost(metric.name) else entry.score


def shown_estimate(entry: EntryAtLength, metric: Metric) -> Figure | None:
    """Return the figure of an entry on a board: without a quiet run, the disturbed cost."""
    return entry.shown_cost(metric.name) if is_cost(metric.name) else entry.score


def _scores(entry: EntryAtLength, metric: Metric) -> Scores:
    return entry.log_scores(metric.name) if is_cost(metric.name) else entry.scores()


def ineligible_reason(entry: EntryAtLength, metric: Metric, key: ComparisonKey) -> str | None:
    """Return why an entry has no rank; None if it may have one.

    A score needs all seeds of its benchmark, so that no seed can be left out. The standard track
    needs code that passes the conformance kit. Costs are always eligible.
    """
    if key.unranked_reason or is_cost(metric.name):
        return key.unranked_reason
    needed = {seed for record in entry.records for seed in record.ranking.seeds}
    scored = needed & {record.cell.seed for record in entry.good}
    if scored != needed:
        return f"{len(scored)} of {len(needed)} seeds: a rank needs all"
    if not _needs_conformance(key):
        return None
    stated = [record.conformance for record in entry.good]
    if failed := sorted({name for result in stated if result for name in result.failed}):
        return f"fails the conformance kit: {', '.join(failed)}"
    return NOT_CHECKED if None in stated else None


def _needs_conformance(key: ComparisonKey) -> bool:
    return key.mode is Mode.TRAIN and key.track == Track.STANDARD and key.ranked


def _rows(
    entries: Sequence[EntryAtLength], metric: Metric, key: ComparisonKey
) -> tuple[list[Row], float | None]:
    by_name = {entry.name: entry for entry in entries}
    scores = {entry.name: _scores(entry, metric) for entry in entries}
    scores = {name: of_entry for name, of_entry in scores.items() if of_entry.by_seed}
    reasons = {name: ineligible_reason(by_name[name], metric, key) for name in scores}
    ranking = _rank(scores, metric, reasons)
    plain = [name for name in sorted(by_name) if is_baseline(by_name[name])]
    base = by_name[plain[0]].mixing_parameters if plain else 0
    rows = []
    for ranked in ranking.entries:
        entry = by_name[ranked.name]
        notes = _notes(entry, ranked, metric, reasons[ranked.name])
        if _is_overtaken(ranked, ranking.entries, metric):
            notes = [TOO_NOISY, *notes]
        stated = (record.conformance for record in entry.good)
        if _needs_conformance(key) and any(result and not result.kit for result in stated):
            notes.append(UNKNOWN)
        count = entry.mixing_parameters
        if base and count and abs(count / base - 1) > PARITY:
            notes.append(f"{count / base:.2f} times the mixing parameters of {BASELINE}")
        rows.append(
            Row.of(
                entry,
                rank=ranked.rank,
                estimate=_estimate(entry, metric),
                detectable_difference=ranked.detectable_difference,
                note="; ".join(notes),
            )
        )

    sign = -1 if metric.higher_is_better else 1

    def best_first(entry: EntryAtLength) -> float:
        figure = shown_estimate(entry, metric)
        return sign * figure.value if figure else math.inf

    unknown = sorted((entry for entry in entries if entry.name not in scores), key=best_first)
    rows += [Row.of(entry, note="; ".join(_notes(entry, None, metric))) for entry in unknown]
    return rows, ranking.detectable_difference


def is_baseline(entry: EntryAtLength) -> bool:
    """Return whether an entry is `BASELINE`, perhaps with options, as rotary positions are."""
    return entry.architecture == BASELINE and not entry.cell.methods


def _rank(
    scores: Mapping[str, Scores], metric: Metric, reasons: Mapping[str, str | None]
) -> Ranking:
    """Rank the entries without a reason not to; the others follow, best first, without a rank.

    A cost has no rank either that an entry with too few rounds may precede.
    """
    ranking = rank(
        {name: scores[name] for name in scores if not reasons[name]},
        higher_is_better=metric.higher_is_better,
    )
    if is_cost(metric.name):  # of scores, an entry with few seeds could take all ranks away
        return only_certain(ranking, higher_is_better=metric.higher_is_better)
    sign = -1 if metric.higher_is_better else 1
    others = [Ranked(name, None, scores[name].estimate()) for name in scores if reasons[name]]
    others.sort(key=lambda item: (sign * item.estimate.value, item.name))
    return replace(ranking, entries=[*ranking.entries, *others])


def _is_overtaken(item: Ranked, ranked: Iterable[Ranked], metric: Metric) -> bool:
    """Return whether an entry of a lower rank is better than an entry."""
    sign = 1 if metric.higher_is_better else -1
    return item.rank is not None and any(
        other.rank is not None
        and other.rank > item.rank
        and sign * (other.estimate.value - item.estimate.value) > 0
        for other in ranked
    )


def _notes(
    entry: EntryAtLength, ranked: Ranked | None, metric: Metric, unranked_reason: str | None = None
) -> list[str]:
    """Return notes on an entry; `unranked_reason` is one that its seeds do not tell."""
    notes = list(entry.failures)
    if unranked_reason:
        notes = [unranked_reason, *notes]
    elif ranked and ranked.ahead:
        notes = [f"no rank: {ranked.ahead}, which has none, is ahead", *notes]
    elif ranked and ranked.rank is None:
        n = ranked.estimate.n
        repeats = "seed" if entry.cell.mode is Mode.TRAIN else "round"
        few = f"{n} {repeats}{'s' if n > 1 else ''}: needs at least {MIN_REPEATS}"
        notes = [few if n < MIN_REPEATS else f"no {repeats} in common with the best", *notes]
    has_interval = ranked and ranked.estimate.low is not None and not is_cost(metric.name)
    if has_interval and not all(parts_of(record, metric.name) for record in entry.good):
        notes.append("interval over seeds alone")
    if ranked and any(method.stage is Stage.EVALUATE for method in entry.cell.methods):
        notes.append(UNDISTURBED)
    if is_cost(metric.name) and ranked is None and entry.good:
        notes.append(NO_COST.get(entry.missing_cost_reason(metric.name) or "", DISTURBED))
    if not entry.has_tuned_rate:
        notes.append("untuned")
    return notes


class BoardKey(NamedTuple):
    """The task, the sequence length and the number of updates of a board of a benchmark."""

    task: str
    length: int
    steps: int


def final_boards(
    benchmark: Benchmark,
    boards: Iterable[Board],
    tasks: Mapping[str, Task],
    version: int | None = None,
) -> dict[BoardKey, Board]:
    """Return the boards of a benchmark's final runs on its own data, in the order of its file.

    The data has the fingerprint in the file. Runs of another `version`, whose data the file does
    not state, were checked when they were published. The boards are of the last model size where
    it has results.
    """
    own: dict[BoardKey, Board] = {}
    size = benchmark.model_size[-1]
    for board in sorted(boards, key=lambda board: board.key.model_size == size):
        name, length = board.key.task, board.sequence_length
        if (task := tasks.get(name)) is None:
            continue
        label = benchmark.label_of(name, version)
        for settings in benchmark.tasks.get(name, ()):
            is_own = _is_own(board, label, task, settings) and board.key.track == benchmark.track
            stated = benchmark.fingerprint(name, length)
            if is_own and (label != benchmark.label_of(name) or board.fingerprint == stated):
                # A single budget may have been another one in an earlier version.
                several = len(settings.steps) > 1
                steps = board.key.steps if several else settings.steps[0]
                own[BoardKey(name, length, steps)] = board
    return {key: own[key] for key in board_keys(benchmark) if key in own}


def board_keys(benchmark: Benchmark) -> list[BoardKey]:
    """Return the key of each board of a benchmark: tasks in the order of its file, then lengths.

    A length that the benchmark's entries do not have for a number of updates is left out.
    """
    keys = [
        BoardKey(name, length, steps)
        for name, settings in benchmark.each_settings
        for steps in settings.steps
        for length in settings.lengths
        if benchmark.has_entries(name, length, steps)
    ]
    tasks = list(benchmark.tasks)
    return sorted(keys, key=lambda key: (tasks.index(key.task), key.length, key.steps))


def scores_of(boards: Iterable[Board]) -> list[float]:
    """Return the figures of the valid rows of boards."""
    rows = (row for board in boards for row in board.valid)
    return [row.estimate.value for row in rows if row.estimate]


def rows_by_entry(boards: Mapping[Place, Board]) -> dict[str, dict[Place, Row]]:
    """Return the valid rows of boards by entry, then by the place of their board."""
    by_entry: dict[str, dict[Place, Row]] = {}
    for place, board in boards.items():
        for row in board.valid:
            by_entry.setdefault(row.entry, {})[place] = row
    return by_entry


def mean_position(name: str, boards: Iterable[Board]) -> float:
    """Return the mean position of an entry by value on the boards that rank it; 0 without any."""
    positions = [list(board.ranked).index(name) for board in boards if name in board.ranked]
    return statistics.fmean(positions) if positions else 0.0


def _is_own(board: Board, label: str, task: Task, settings: TaskSettings) -> bool:
    """Return whether a board ranks final runs on the data and with the options of the benchmark."""
    key = board.key
    return (
        key.benchmark == label
        and key.split == "test"
        and key.source == (settings.source or task.default_source)
        and key.task_options == options_text(listed_options(task, settings.options))
        and board.sequence_length in settings.lengths
    )
