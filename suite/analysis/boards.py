"""Comparisons → boards: what is ranked together, and the rows. Nothing is hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from suite.analysis.comparison_key import ComparisonKey, grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength, parts_of
from suite.analysis.estimates import MIN_REPEATS, Estimate, Figure, exponential
from suite.analysis.ranking import Ranked, Ranking, Scores, only_certain, rank
from suite.analysis.sessions import CostSession
from suite.api import Metric, Mode, Stage, Status, Track
from suite.records.environment import commit_of
from suite.records.measures import RANKED, is_cost, metric_of
from suite.records.published import StoredRecord
from suite.records.schema import RecordSummary
from suite.records.validity import versions_of

RANKED_FROM = MIN_REPEATS
"""The number of seeds, or rounds of a probe, that an entry needs for a rank."""
BASELINE = "vanilla"
"""The entry whose number of parameters the others share, and whose costs count as 1."""
PARITY = 0.1
"""The largest relative difference in mixing parameters that needs no note."""
TOO_NOISY = "varies too much to be separated from the best of its rank"
NO_COST = {
    "other session": "measured in another session",
    "not trained": "not trained",
    "too few steps": "too few steps",
}
"""The notes of entries without a cost, by the reason; the note of any other is "no quiet run"."""
NOT_CHECKED = "the conformance kit did not check its code"
UNKNOWN = "conformance unknown"
UNDISTURBED = "scored without disturbance"
"""The note of an entry whose methods disturb test examples: its own score is that of the model."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a board, its repeats pooled.

    Without a rank, `rank` holds None and `note` gives the reason. `behind` is the difference to the
    leader of the rank; for costs it is the logarithm of the ratio. `detectable_difference` is the
    smallest difference to that leader, in the same unit, that the board would have separated. The
    leader has neither. Costs are geometric means over the quiet runs of one session; `sessions` is
    the number of sessions that measured the cost, and `between_sessions` the standard deviation of
    the logarithms of their means. `cost_digest` is the digest of the code that was measured.
    `by_evaluation_length` has the score of a training at each evaluation length, or why there is
    none.
    """

    entry: str
    architecture: str
    rank: int | None
    estimate: Estimate | None
    behind: Estimate | None
    seeds: Sequence[int]
    note: str
    parameter_count: int | None
    training_tokens_per_second: float | None
    training_peak_memory_bytes: float | None
    worker_seconds: float | None
    measured_on: date
    versions: str
    commits: Sequence[str]
    machines: Sequence[str]
    run_ids: Sequence[str]
    superseded_by: str = ""
    detectable_difference: float | None = None
    sessions: int = 1
    between_sessions: float | None = None
    cost_digest: str | None = None
    by_evaluation_length: Mapping[int, Figure | str] = field(default_factory=dict)

    @property
    def footnotes(self) -> list[str]:
        """The notes of the row, one by one."""
        return list(filter(None, self.note.split("; ")))


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

    Scores have ranks only in final runs of a ranked benchmark, and only if they are eligible
    (`ineligible_reason`).

    Unsupported cells have no row, because they are not results.
    """
    boards = []
    for comparison in comparisons:
        for (length, batch_size), of_place in comparison.by_place().items():
            supported = map(_supported, of_place)
            entries = [entry for entry in supported if entry.runs or entry.superseded]
            for metric in _metrics(comparison):
                key = comparison.key
                rows, detectable = _rows(entries, metric, key)
                if any(row.estimate for row in rows):
                    place = key, length, batch_size, metric
                    data = _fingerprint(entries)
                    boards.append(Board(*place, rows, detectable, entries[0].session, data))
    return boards


def _fingerprint(entries: Iterable[EntryAtLength]) -> str:
    """Return the fingerprint of the data of a board, which all records that read it share."""
    records = (record for entry in entries for record in entry.records)
    return next((record.fingerprint for record in records if record.fingerprint), "")


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


def _rank(
    scores: Mapping[str, Scores], metric: Metric, reasons: Mapping[str, str | None]
) -> Ranking:
    """Rank the entries without a reason not to; the others follow, best first, without a rank.

    A cost has no rank either that an entry with too few rounds may precede.
    """
    ranking = rank(
        {name: scores[name] for name in scores if not reasons[name]},
        higher_is_better=metric.higher_is_better,
        at_least=RANKED_FROM,
    )
    if is_cost(metric.name):  # of scores, an entry with few seeds could take all ranks away
        ranking = only_certain(ranking, higher_is_better=metric.higher_is_better)
        ranked = [replace(item, estimate=exponential(item.estimate)) for item in ranking.entries]
        return replace(ranking, entries=ranked)
    sign = -1 if metric.higher_is_better else 1
    others = [Ranked(name, None, scores[name].estimate()) for name in scores if reasons[name]]
    others.sort(key=lambda item: (sign * item.estimate.value, item.name))
    return replace(ranking, entries=[*ranking.entries, *others])


def _supported(entry: EntryAtLength) -> EntryAtLength:
    """Return an entry without its unsupported records."""

    def ran(stored: StoredRecord) -> bool:
        return stored.record.status is not Status.UNSUPPORTED

    if all(map(ran, [*entry.runs, *(run for run, _ in entry.superseded)])):
        return entry  # with the figures that it has computed
    return replace(
        entry,
        runs=[run for run in entry.runs if ran(run)],
        superseded=[(run, reason) for run, reason in entry.superseded if ran(run)],
    )


def _metrics(comparison: Comparison) -> list[Metric]:
    if costs := RANKED[comparison.key.mode]:
        return [metric_of(cost) for cost in costs]
    return [comparison.metric] if comparison.metric else []


def _scores(entry: EntryAtLength, metric: Metric) -> Scores:
    """Return the values that rank an entry: scores, or logarithms of costs."""
    return entry.log_scores(metric.name) if is_cost(metric.name) else entry.scores(metric)


def _rows(
    entries: Sequence[EntryAtLength], metric: Metric, key: ComparisonKey
) -> tuple[list[Row], float | None]:
    """Return the rows of a board, and the difference that it can detect."""
    current = {entry.name: entry for entry in entries if entry.runs}
    scores = {
        name: found for name, entry in current.items() if (found := _scores(entry, metric)).by_seed
    }
    reasons = {name: ineligible_reason(current[name], metric, key) for name in scores}
    ranking = _rank(scores, metric, reasons)
    base = _mixing_parameters(current[BASELINE]) if BASELINE in current else 0
    rows = []
    for item in ranking.entries:
        entry = current[item.name]
        notes = _notes(entry, item, metric, reasons[item.name])
        if _is_overtaken(item, ranking.entries, metric):
            notes = [TOO_NOISY, *notes]
        stated = (record.conformance for record in entry.good)
        if _needs_conformance(key) and any(result and not result.kit for result in stated):
            notes.append(UNKNOWN)
        count = _mixing_parameters(entry)
        if base and count and abs(count / base - 1) > PARITY:
            notes.append(f"{count / base:.2f} times the mixing parameters of {BASELINE}")
        rows.append(_row(entry, item, metric, notes))
    unknown = [entry for name, entry in current.items() if name not in scores]
    rows += [_row(entry, None, metric, _notes(entry, None, metric)) for entry in unknown]
    rows += [row for entry in entries for row in _superseded_rows(entry, metric)]
    return rows, ranking.detectable_difference


def _is_overtaken(item: Ranked, ranked: Iterable[Ranked], metric: Metric) -> bool:
    """Return whether an entry of a lower rank is better than an entry.

    The entry varies too much to be separated from the best of its rank.
    """
    sign = 1 if metric.higher_is_better else -1
    return item.rank is not None and any(
        other.rank is not None
        and other.rank > item.rank
        and sign * (other.estimate.value - item.estimate.value) > 0
        for other in ranked
    )


def _mixing_parameters(entry: EntryAtLength) -> int:
    """Return the number of weights without embedding and head; 0 if no record states it."""
    return next((record.parameter_counts.get("mixing", 0) for record in entry.good), 0)


def _superseded_rows(entry: EntryAtLength, metric: Metric) -> list[Row]:
    """Return a row for each reason and version of superseded runs; none has a rank.

    Two runs of one repeat under the same version and reason make two rows: nothing is lost.
    """
    seen: Counter[tuple[str, str, int]] = Counter()

    def part(item: tuple[StoredRecord, str]) -> tuple[str, str, int]:
        run, reason = item
        repeated = reason, versions_of(run.record), run.record.repeat
        seen[repeated] += 1
        return reason, versions_of(run.record), seen[repeated]

    rows = []
    for (reason, *_), items in grouped(entry.superseded, part).items():
        former = entry.of_runs([run for run, _ in items])
        found = _scores(former, metric)
        estimate = found.estimate() if found.by_seed else None
        if estimate and is_cost(metric.name):
            estimate = exponential(estimate)
        ranked = Ranked(entry.name, None, estimate) if estimate else None
        rows.append(replace(_row(former, ranked, metric), superseded_by=reason))
    return rows


def _row(
    entry: EntryAtLength, ranked: Ranked | None, metric: Metric, notes: Sequence[str] = ()
) -> Row:
    records = entry.records
    cost = entry.cost(metric.name) if is_cost(metric.name) else None
    return Row(
        entry=entry.name,
        architecture=entry.architecture,
        rank=ranked.rank if ranked else None,
        estimate=ranked.estimate if ranked else None,
        behind=ranked.behind if ranked else None,
        seeds=sorted(record.repeat for record in records),
        note="; ".join(notes),
        parameter_count=next((record.parameter_count for record in entry.good), None),
        training_tokens_per_second=entry.cost_value("training.tokens_per_second"),
        training_peak_memory_bytes=entry.cost_value("training.peak_memory_bytes"),
        worker_seconds=entry.worker_seconds,
        measured_on=max(record.ended_at for record in records).date(),
        versions=versions_of(records[0]),
        commits=sorted({str(commit_of(record.environment))[:10] for record in records}),
        machines=sorted({run.machine for run in entry.runs}),
        run_ids=[record.run_id for record in records],
        detectable_difference=ranked.detectable_difference if ranked else None,
        sessions=cost.sessions if cost else 1,
        between_sessions=cost.between_sessions if cost else None,
        cost_digest=entry.cost_digest,
        by_evaluation_length=entry.scores_by_evaluation_length(),
    )


def _notes(
    entry: EntryAtLength, ranked: Ranked | None, metric: Metric, unranked_reason: str | None = None
) -> list[str]:
    """Return notes on an entry; `unranked_reason` is one that its seeds do not tell."""
    records = entry.records
    notes = sorted({f"{r.status}: {r.reason}" for r in records if r.status is not Status.OK})
    if unranked_reason:
        notes = [unranked_reason, *notes]
    elif ranked and ranked.ahead:
        notes = [f"no rank: {ranked.ahead}, which has none, is ahead", *notes]
    elif ranked and ranked.rank is None:
        n = ranked.estimate.n
        repeats = "seed" if records[0].cell.mode is Mode.TRAIN else "round"
        few = f"{n} {repeats}{'s' if n > 1 else ''}: needs at least {RANKED_FROM}"
        notes = [few if n < RANKED_FROM else f"no {repeats} in common with the best", *notes]
    if ranked and ranked.estimate.low is not None and not _has_parts(entry.good, metric):
        notes.append("interval over seeds alone")
    if ranked and any(method.stage is Stage.EVALUATE for method in records[0].cell.methods):
        notes.append(UNDISTURBED)
    if is_cost(metric.name) and ranked is None and entry.good:
        notes.append(NO_COST.get(entry.missing_cost_reason(metric.name) or "", "no quiet run"))
    if not entry.has_tuned_rate:
        notes.append("untuned")
    return notes


def _has_parts(records: Iterable[RecordSummary], metric: Metric) -> bool:
    """Return whether an interval covers the choice of test examples."""
    return is_cost(metric.name) or all(parts_of(record, metric.name) for record in records)
