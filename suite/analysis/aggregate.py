"""Records → comparisons of points: what is compared, and the figure of every point.

The only module that selects the records that stand and aggregates their figures. Tables, MLflow,
boards, the site and every search take their figures from here, so that one set of records shows one
number everywhere:

- a score is the mean over the seeds that ended well, with an interval over seeds and test examples;
- a cost is the geometric mean over the quiet runs of one machine and number of threads; a point
  without a quiet run has no cost.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from suite.analysis.grouping import ComparisonKey, group
from suite.analysis.ranking import Scores
from suite.analysis.statistics import Estimate, pseudo_values, ratio_interval
from suite.api import Metric, Mode, Status
from suite.records.published import Folder, StoredRecord
from suite.records.schema import RecordSummary
from suite.records.standing import (
    judge_repeats,
    newest_architectures,
    newest_rules,
    versions_of,
)

PHASES = ("training", "inference")

Place = tuple[str, int]
"""A machine, by name, and the number of threads used on it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a point: the mean over its repeats, a 95% interval, and the range.

    The mean of a cost is geometric. Without an interval, `low` and `high` hold None.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    lowest: float
    highest: float


@dataclass(frozen=True)
class Point:
    """The repeats of one entry at one length and batch size.

    `runs` holds the standing record of each repeat, `superseded` the others with the reason.
    `split` is the split that scores come from: "test", or "validation" if the test split is
    sealed; a probe has none.
    """

    entry: str
    architecture: str
    sequence_length: int
    batch_size: int
    metric: Metric | None
    split: str
    measured_on: Place
    runs: Sequence[StoredRecord]
    superseded: Sequence[tuple[StoredRecord, str]] = ()

    @property
    def records(self) -> list[RecordSummary]:
        """The standing records."""
        return [run.record for run in self.runs]

    @property
    def good(self) -> list[RecordSummary]:
        """The standing records that ended well."""
        return [record for record in self.records if record.status is Status.OK]

    @property
    def statuses(self) -> Mapping[str, int]:
        """How many standing records ended with each status."""
        return Counter(str(record.status) for record in self.records)

    @property
    def num_noisy(self) -> int:
        """How many records that ended well have a noisy phase."""
        return sum(not record.quiet for record in self.good)

    @property
    def has_tuned_rate(self) -> bool:
        """Whether every training ran with a learning rate that tuning chose."""
        return all(
            record.cell.mode is not Mode.TRAIN or record.ranking.tuning is not None
            for record in self.records
        )

    def quiet_runs(self, phase: str) -> dict[int, RecordSummary]:
        """Return by repeat the records whose costs of a phase count."""
        return {
            run.record.repeat: run.record
            for run in self.runs
            if run.record.status is Status.OK
            and place_of(run) == self.measured_on
            and run.record.is_quiet(phase)
        }

    def costs(self, measure: str) -> dict[int, float]:
        """Return by repeat the positive values of a measure such as "training.step_seconds"."""
        quiet = self.quiet_runs(measure.partition(".")[0])
        values = {repeat: record.cost(measure) for repeat, record in quiet.items()}
        return {
            repeat: value for repeat, value in values.items() if value is not None and value > 0
        }

    def cost(self, measure: str) -> Figure | None:
        """Return the geometric mean of a measure; None where no run was quiet."""
        values = list(self.costs(measure).values())
        return _figure(ratio_interval(values), values) if values else None

    def cost_value(self, measure: str) -> float | None:
        """Return the geometric mean of a measure as a number."""
        figure = self.cost(measure)
        return figure.value if figure else None

    def scores(self, metric: Metric | None = None) -> Scores:
        """Return a metric (by default the primary one) by seed and by part of the split."""
        metric = metric or self.metric
        return scores_of(self.good, metric, self.split) if metric else Scores({})

    def score(self, metric: Metric | None = None) -> Figure | None:
        """Return the mean of a metric over seeds."""
        found = self.scores(metric)
        if not found.by_seed:
            return None
        return _figure(found.estimate(), list(found.by_seed.values()))

    def log_scores(self, measure: str) -> Scores:
        """Return the logarithms of a cost by repeat, so that differences are ratios."""
        return Scores({repeat: math.log(value) for repeat, value in self.costs(measure).items()})

    def mean_metric(self, split: str, name: str) -> float | None:
        """Return the mean of a metric of any split over the records that ended well."""
        values = [record.metric(name, split) for record in self.good]
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if known else None

    @property
    def worker_seconds(self) -> float | None:
        """The median time of a cell on the machine of the costs, resumed trainings left out."""
        seconds = [
            run.record.worker_seconds
            for run in self.runs
            if run.record.status is Status.OK
            and place_of(run) == self.measured_on
            and run.record.worker_seconds is not None
            and not run.record.details.get("resumed_at_steps")
        ]
        return statistics.median(seconds) if seconds else None


@dataclass(frozen=True)
class Comparison:
    """The points that may be compared: they share everything but entry, length and repeat.

    Scores may come from several machines. Costs come from the machine and number of threads
    `measured_on`, which has the most records.
    """

    key: ComparisonKey
    metric: Metric | None
    measured_on: Place
    points: Sequence[Point]

    @property
    def records(self) -> list[RecordSummary]:
        """All standing records."""
        return [record for point in self.points for record in point.records]

    def by_entry(self) -> dict[str, list[Point]]:
        """Return the points of each entry, by length."""
        found: dict[str, list[Point]] = {}
        for point in self.points:
            found.setdefault(point.entry, []).append(point)
        return found


def compare(
    records: Iterable[StoredRecord], task_versions: Mapping[str, int] | None = None
) -> list[Comparison]:
    """Group records into comparisons, and each comparison into points.

    `task_versions` are the versions of the tasks in force: what ran under an older one is
    superseded. Records that only verify others are left out.
    """
    present = [record for record in records if record.folder is not Folder.VERIFIED]
    return [_comparison(key, of_key, task_versions or {}) for key, of_key in group(present).items()]


def place_of(stored: StoredRecord) -> Place:
    """Return the machine and the number of threads of a record."""
    return stored.machine, stored.record.cell.threads


def scores_of(records: Iterable[RecordSummary], metric: Metric, split: str = "test") -> Scores:
    """Return a metric of a split by repeat, and of its parts."""
    by_seed: dict[int, float] = {}
    parts: dict[int, Sequence[float | None]] = {}
    num_examples: set[int] = set()
    for record in records:
        value = record.metric(metric.name, split)
        if record.status is Status.OK and value is not None:
            by_seed[record.repeat] = value
            parts[record.repeat] = parts_of(record, metric.name, split)
            num_examples.add((record.data or {}).get("examples", {}).get(split, 0))
    return Scores(by_seed, parts, metric.share, min(num_examples, default=0) or None)


def parts_of(
    record: RecordSummary, metric_name: str, split: str = "test"
) -> Sequence[float | None]:
    """Return the pseudo-values of the parts of a split; none where none were kept."""
    value = record.metric(metric_name, split)
    without_part: Mapping[str, Sequence[float | None]] = record.reports.get(split, {}).get(
        "without_part", {}
    )
    return () if value is None else pseudo_values(value, without_part.get(metric_name, ()))


def _comparison(
    key: ComparisonKey, records: Sequence[StoredRecord], task_versions: Mapping[str, int]
) -> Comparison:
    rules = newest_rules((stored.record for stored in records), task_versions)
    newest = newest_architectures((stored.record for stored in records), rules)
    named = _entry_names(records)
    points: dict[tuple[int, str, int], list[StoredRecord]] = {}
    for stored in records:
        cell = stored.record.cell
        at = cell.sequence_length, named[id(stored)], cell.batch_size
        points.setdefault(at, []).append(stored)
    judged = {
        at: judge_repeats(of_point, lambda stored: stored.record, newest)
        for at, of_point in sorted(points.items(), key=lambda item: item[0])
    }
    standing = [run for found in judged.values() for run in found.by_repeat.values()]
    measured_on = _place_of_most(standing)
    metric = max(records, key=lambda stored: stored.record.run_id).record.ranking.primary_metric
    return Comparison(
        key,
        metric,
        measured_on,
        [
            Point(
                entry=entry,
                architecture=points[length, entry, batch_size][0].record.cell.architecture,
                sequence_length=length,
                batch_size=batch_size,
                metric=metric,
                split=key.split,
                measured_on=measured_on,
                runs=list(found.by_repeat.values()),
                superseded=found.superseded,
            )
            for (length, entry, batch_size), found in judged.items()
        ],
    )


def _entry_names(records: Sequence[StoredRecord]) -> dict[int, str]:
    """Return the name of each record's entry; untuned runs are kept apart from tuned ones."""
    tuned = {
        (stored.entry, versions_of(stored.record))
        for stored in records
        if stored.record.ranking.tuning is not None
    }

    def name(stored: StoredRecord) -> str:
        record = stored.record
        apart = record.ranking.tuning is None and (stored.entry, versions_of(record)) in tuned
        return f"{stored.entry} (untuned)" if apart else stored.entry

    return {id(stored): name(stored) for stored in records}


def _place_of_most(runs: Sequence[StoredRecord]) -> Place:
    """Return the place with the most records that ended well; of equals the first by name."""
    good = [place_of(run) for run in runs if run.record.status is Status.OK]
    counts = Counter(good or [place_of(run) for run in runs])
    return max(sorted(counts), key=counts.__getitem__, default=("", 0))


def _figure(estimate: Estimate, values: Sequence[float]) -> Figure:
    return Figure(estimate.value, estimate.low, estimate.high, estimate.n, min(values), max(values))
